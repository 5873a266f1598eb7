//! The user's wish to end, and work that is given up for it.

use std::{future::Future, io};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use super::CliError;

/// Whether the user has asked to end.
#[derive(Debug, Clone)]
pub struct Interruption(watch::Receiver<bool>);

impl Interruption {
    /// Listens for SIGINT and SIGTERM from now on, for as long as the process lives: the first completes [`Interruption::comes`], the
    /// second ends the process at once. On a thread of its own, so that nothing else can hold it up.
    ///
    /// # Errors
    /// Signals cannot be listened for.
    pub fn listen() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let entered = runtime.enter();
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        drop(entered);
        let (come, comes) = watch::channel(false);
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                either(&mut interrupt, &mut terminate).await;
                // Apart from this thread: perhaps nobody reads standard error any more.
                tokio::task::spawn_blocking(move || {
                    anstream::eprintln!("interrupted: coming to an end; once more to abort");
                    come.send_replace(true);
                });
                either(&mut interrupt, &mut terminate).await;
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the user asked twice: nothing may hold the process up any more"
                )]
                std::process::exit(130);
            });
        })?;
        Ok(Self(comes))
    }

    /// Completes when the user has asked to end.
    pub async fn comes(mut self) {
        if self.0.wait_for(|come| *come).await.is_err() {
            // Nobody listens any more.
            std::future::pending().await
        }
    }

    /// Whether the user has asked to end.
    pub fn has_come(&self) -> bool {
        *self.0.borrow()
    }

    /// Does `work`, or gives it up by dropping it once the user has asked to end; `during` is what it is for.
    ///
    /// # Errors
    /// Those of `work`, or [`CliError::SetUp`]: interrupted.
    pub(super) async fn or<T>(
        &self,
        during: &str,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        tokio::select! {
            biased;
            () = self.clone().comes() => Err(CliError::SetUp(format!("interrupted {during}"))),
            result = work => result,
        }
    }
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn interruption() -> (watch::Sender<bool>, Interruption) {
        let (come, comes) = watch::channel(false);
        (come, Interruption(comes))
    }

    #[test]
    fn work_goes_on_until_the_user_asks_to_end() {
        let (come, interruption) = interruption();
        let done = interruption.or("while it was tried", async { Ok(1) }).now_or_never();
        assert_eq!(done.unwrap().unwrap(), 1);
        assert!(!interruption.has_come());
        let (alive, mut dropped) = tokio::sync::oneshot::channel::<()>();
        let mut endless = Box::pin(interruption.or("while it was tried", async move {
            let _alive = alive;
            std::future::pending::<Result<(), CliError>>().await
        }));
        assert!(endless.as_mut().now_or_never().is_none());
        come.send_replace(true);
        let error = endless.as_mut().now_or_never().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "set-up refused: interrupted while it was tried");
        drop(endless);
        assert!(dropped.try_recv().is_err_and(|error| error == tokio::sync::oneshot::error::TryRecvError::Closed));
        assert!(interruption.has_come());
        assert!(interruption.clone().comes().now_or_never().is_some());
        assert!(interruption.or("while it was tried", async { Ok(1) }).now_or_never().unwrap().is_err());
    }

    #[test]
    fn nobody_who_listens_is_no_wish_to_end() {
        let (come, interruption) = interruption();
        drop(come);
        assert!(interruption.clone().comes().now_or_never().is_none());
        assert_eq!(interruption.or("while it was tried", async { Ok(1) }).now_or_never().unwrap().unwrap(), 1);
    }
}
