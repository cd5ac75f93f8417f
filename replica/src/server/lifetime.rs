//! When the process ends by itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the end is looked for.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Counts requests and remembers the last one.
#[derive(Debug)]
pub struct Lifetime {
    ttl: Duration,
    hard_ttl: Option<Duration>,
    start: Instant,
    activity: Mutex<Activity>,
}

#[derive(Debug)]
struct Activity {
    pending: usize,
    last: Instant,
}

/// Held while a request is served.
#[derive(Debug)]
pub struct Pending(Arc<Lifetime>);

impl Drop for Pending {
    fn drop(&mut self) {
        let mut activity = self.0.lock();
        activity.pending -= 1;
        activity.last = Instant::now();
    }
}

impl Lifetime {
    /// Ends `ttl` after the last request, and `hard_ttl` after now whatever happens.
    pub fn new(ttl: Duration, hard_ttl: Option<Duration>) -> Self {
        let start = Instant::now();
        Self {
            ttl,
            hard_ttl,
            start,
            activity: Mutex::new(Activity {
                pending: 0,
                last: start,
            }),
        }
    }

    /// A request begins; it ends when the guard is dropped.
    pub fn begin(self: &Arc<Self>) -> Pending {
        self.lock().pending += 1;
        Pending(self.clone())
    }

    /// Whether the process has nothing left to live for.
    pub fn is_over(&self) -> bool {
        let activity = self.lock();
        let idle = activity.pending == 0 && activity.last.elapsed() > self.ttl;
        idle || self.hard_ttl.is_some_and(|ttl| self.start.elapsed() > ttl)
    }

    /// Returns when [`Lifetime::is_over`].
    pub async fn end(&self) {
        while !self.is_over() {
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_request_keeps_the_process_but_not_beyond_the_hard_limit() {
        let lifetime = Arc::new(Lifetime::new(Duration::ZERO, None));
        let pending = lifetime.begin();
        assert!(!lifetime.is_over());
        drop(pending);
        std::thread::sleep(Duration::from_millis(1));
        assert!(lifetime.is_over());

        let lifetime = Arc::new(Lifetime::new(Duration::MAX, Some(Duration::ZERO)));
        let _pending = lifetime.begin();
        std::thread::sleep(Duration::from_millis(1));
        assert!(lifetime.is_over());
    }
}
