//! Rounds in real time, and those who wait for them.

use super::Hosted;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Pause between rounds when nothing is going on.
const IDLE_PAUSE: Duration = Duration::from_millis(100);

/// Pause between rounds while a call waits for its answer.
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// How long a call hurries rounds that nobody holds a connection open for. One that is not answered by then waits for
/// something else than rounds: another call, a timer.
const MAX_HURRY: Duration = Duration::from_secs(10);

/// What happens on an instance that others wait for.
#[derive(Default)]
pub struct Signals {
    counts: Mutex<Counts>,
    changed: Condvar,
    waiting: AtomicUsize,
}

#[derive(Default)]
struct Counts {
    rounds: u64,
    submissions: u64,
    last_submission: Option<Instant>,
    stops: u64,
}

/// Held while somebody waits for an answer; rounds follow each other faster then.
pub struct WaitGuard<'a>(&'a Signals);

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Signals {
    /// A round is over.
    pub fn announce_round(&self) {
        self.lock().rounds += 1;
        self.changed.notify_all();
    }

    /// A call was submitted.
    pub fn announce_submission(&self) {
        let mut counts = self.lock();
        counts.submissions += 1;
        counts.last_submission = Some(Instant::now());
        drop(counts);
        self.changed.notify_all();
    }

    /// Rounds announced so far.
    pub fn rounds(&self) -> u64 {
        self.lock().rounds
    }

    /// Says that somebody waits, until the guard is dropped.
    pub fn wait_guard(&self) -> WaitGuard<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_all();
        WaitGuard(self)
    }

    /// Waits for a round after the first `seen` ones. Returns false when the deadline came first.
    pub fn await_round_after(&self, seen: u64, deadline: Instant) -> bool {
        let mut counts = self.lock();
        while counts.rounds == seen {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return false;
            };
            counts = self.pause(counts, left);
        }
        true
    }

    /// Pauses between two rounds: `pause` long, but if it `may_hurry`, no longer than those bear who wait for an answer.
    fn pause_between_rounds(&self, pause: Duration, may_hurry: bool, has_open_calls: bool) {
        let start = Instant::now();
        let mut counts = self.lock();
        let (submissions, stops) = (counts.submissions, counts.stops);
        let has_fresh_calls = has_open_calls
            && counts
                .last_submission
                .is_some_and(|last| last.elapsed() < MAX_HURRY);
        loop {
            let is_awaited = self.waiting.load(Ordering::SeqCst) > 0;
            let hurries = may_hurry && (is_awaited || has_fresh_calls);
            let length = if hurries { BUSY_PAUSE } else { pause };
            let Some(left) = length.checked_sub(start.elapsed()) else {
                return;
            };
            if counts.stops != stops || (may_hurry && counts.submissions != submissions) {
                return;
            }
            counts = self.pause(counts, left);
        }
    }

    fn pause<'a>(&self, counts: MutexGuard<'a, Counts>, left: Duration) -> MutexGuard<'a, Counts> {
        self.changed
            .wait_timeout(counts, left)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that drives one instance.
pub struct Progress {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Progress {
    /// Sets the instance to real time, then keeps it there in a thread of its own.
    pub fn start(hosted: &Arc<Hosted>, delay: Option<Duration>) -> Self {
        hosted.round_at(now_ns());
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (weak, stop) = (Arc::downgrade(hosted), stop.clone());
            move || drive(&weak, &stop, delay)
        });
        Self { stop, thread }
    }

    /// Stops the thread and waits for it.
    pub fn stop(self, signals: &Signals) {
        self.stop.store(true, Ordering::SeqCst);
        signals.lock().stops += 1;
        signals.changed.notify_all();
        // A thread that panicked has stopped as well.
        let _ = self.thread.join();
    }
}

fn drive(weak: &Weak<Hosted>, stop: &AtomicBool, delay: Option<Duration>) {
    let pause = delay.unwrap_or_default().max(IDLE_PAUSE);
    let may_hurry = delay.is_none_or(|delay| delay.is_zero());
    while !stop.load(Ordering::SeqCst) {
        let Some(hosted) = weak.upgrade() else {
            return;
        };
        let has_open_calls = hosted.has_open_calls();
        hosted
            .signals()
            .pause_between_rounds(pause, may_hurry, has_open_calls);
        if !stop.load(Ordering::SeqCst) {
            hosted.round_at(now_ns());
        }
    }
}

/// The real time, nanoseconds since the epoch.
pub fn now_ns() -> u64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}
