use futures::future::BoxFuture;
use harness_core::ports::{PortError, Tasks};
use tokio::runtime::Handle;

/// The worker threads of the runtime that it is made in.
#[derive(Debug, Clone)]
pub struct RuntimeTasks(Handle);

impl RuntimeTasks {
    /// Those of the runtime that this is called in.
    ///
    /// # Errors
    /// [`PortError::Unsupported`]: it is called in none.
    pub fn of_this_runtime() -> Result<Self, PortError> {
        Handle::try_current().map(Self).map_err(|error| PortError::Unsupported { reason: error.to_string() })
    }
}

impl Tasks for RuntimeTasks {
    fn spawn(&self, work: BoxFuture<'static, ()>) {
        self.0.spawn(work);
    }
}
