use futures::future::BoxFuture;

/// Drives work beside whoever asks for it.
pub trait Tasks: Send + Sync {
    /// Drives `work` to its end, on a thread that nothing else keeps busy for long. Who needs to know its end has it send word.
    fn spawn(&self, work: BoxFuture<'static, ()>);
}
