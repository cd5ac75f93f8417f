//! Lanes to a server: at most so many requests at once, and as many of these as bring something ([`Pace`]).

use super::pace::Pace;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Lanes, open and closed.
#[derive(Debug)]
pub struct Lanes {
    /// One permit for each open lane that is free.
    free: Semaphore,
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    /// Lanes that exist: with a free permit, or taken.
    lanes: usize,
}

/// A lane that was taken; it is free again when this is dropped.
#[derive(Debug)]
pub struct Lane<'a> {
    lanes: &'a Lanes,
    permit: Option<SemaphorePermit<'a>>,
    taken: Instant,
}

impl Lanes {
    /// At most `lanes_max`.
    pub fn new(lanes_max: usize) -> Self {
        let pace = Pace::new(lanes_max);
        let lanes = pace.limit();
        Self {
            free: Semaphore::new(lanes),
            begun: Instant::now(),
            state: Mutex::new(State { pace, lanes }),
        }
    }

    /// Waits for a lane.
    pub async fn take(&self) -> Lane<'_> {
        let permit = self.free.acquire().await.ok();
        Lane {
            lanes: self,
            permit,
            taken: Instant::now(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves numbers that are right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane<'_> {
    /// Gives it back after a reply of so many bytes.
    pub fn replied(self, bytes: u64) {
        let now = Instant::now();
        let (since, taken) = (now - self.lanes.begun, now - self.taken);
        let mut state = self.lanes.state();
        state.pace.replied(since, taken, bytes);
        let more = state.pace.limit().saturating_sub(state.lanes);
        state.lanes += more;
        self.lanes.free.add_permits(more);
        drop(state);
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        let mut state = self.lanes.state();
        if state.lanes > state.pace.limit() {
            state.lanes -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}
