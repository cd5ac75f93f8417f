//! Progress as the transfer sees it: something that can be told of bytes.

/// Told how a piece of work goes on.
pub trait Progress: Send + Sync {
    /// So many more bytes are done.
    fn advance(&self, bytes: u64);
    /// The work is over.
    fn finish(&self);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug)]
pub struct Hidden;

impl Progress for Hidden {
    fn advance(&self, _bytes: u64) {}
    fn finish(&self) {}
}
