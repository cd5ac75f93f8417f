//! Buffers for replies of megabytes, used again: a fresh one costs the kernel as much as filling it.
//!
//! Never holds more than [`KEPT_MAX`] of them, whatever happens on the way.

use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers kept for later: no more are in use where there are no more requests than usual.
pub const KEPT_MAX: usize = 24;

/// Buffers that wait for their next reply.
#[derive(Debug, Default)]
pub struct Buffers(Mutex<Vec<Vec<u8>>>);

/// A buffer that goes back when the last who holds a piece of it lets go.
struct Lent {
    buffer: Vec<u8>,
    home: Arc<Buffers>,
}

impl Buffers {
    /// An empty buffer.
    pub fn take(&self) -> Vec<u8> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.pop().unwrap_or_default()
    }

    /// What is in `buffer`, to be shared without a copy; the buffer comes back by itself.
    pub fn lend(self: &Arc<Self>, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent {
            buffer,
            home: self.clone(),
        })
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut kept = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX {
            kept.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_when_nobody_holds_a_piece_of_it() {
        let buffers = Arc::new(Buffers::default());
        let mut buffer = buffers.take();
        buffer.extend_from_slice(b"reply");
        let at = buffer.as_ptr();
        let whole = buffers.lend(buffer);
        let piece = whole.slice(1..3);
        drop(whole);
        assert_eq!(&piece[..], b"ep");
        assert_eq!(buffers.take().capacity(), 0);
        drop(piece);
        let again = buffers.take();
        assert!(again.is_empty());
        assert_eq!(again.as_ptr(), at);
    }

    #[test]
    fn no_more_buffers_are_kept_than_are_used() {
        let buffers = Arc::new(Buffers::default());
        let lent: Vec<_> = (0..KEPT_MAX + 5)
            .map(|_| buffers.lend(vec![0; 8]))
            .collect();
        drop(lent);
        assert_eq!(buffers.0.lock().unwrap().len(), KEPT_MAX);
    }
}
