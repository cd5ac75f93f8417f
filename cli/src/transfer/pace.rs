//! How many requests to have under way at once: as many as bring more, and no more.
//!
//! A server far away wants many, so that the line is never idle; one on the same machine answers two at once more
//! slowly than one after the other. Neither is known beforehand, and it changes: so other numbers are tried, and
//! judged by the bytes a second that they bring.
//!
//! ```text
//! a round of replies ─► half as many, if replies had to queue ─┐  it brings less: the other way
//!                   └─► twice as many, if not ─────────────────┤
//!                       it brings as much, or more: that stays ┴─ both bring less: nothing is tried for some rounds
//! ```
//!
//! Pure: it is told when replies came, and never waits.

use std::time::Duration;

/// Replies that a round has at least: fewer say nothing.
const ROUND_REPLIES_MIN: usize = 4;
/// Rounds without a trial after both ways were found to be no good.
const QUIET_ROUNDS: u32 = 32;
/// Half as many requests stay, if they bring this share of what there was.
const FEWER_SHARE_MIN: f64 = 1.0;
/// Twice as many stay, if they bring this many times what there was.
const MORE_SHARE_MIN: f64 = 1.05;
/// Replies have to queue, if they take so many times as long as the fastest one.
const QUEUE_FACTOR: f64 = 1.5;

/// Decides how many requests are under way at once.
#[derive(Clone, Debug)]
pub struct Pace {
    limit: usize,
    limit_max: usize,
    round: Round,
    /// Replies that still belong to the limit before.
    late_replies: usize,
    fastest: Option<Duration>,
    trial: Option<Trial>,
    tried: Vec<Way>,
    quiet_rounds: u32,
}

/// What came since a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    begun: Duration,
    replies: usize,
    bytes: u64,
    taken: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Fewer,
    More,
}

/// Another limit on trial.
#[derive(Clone, Copy, Debug)]
struct Trial {
    way: Way,
    limit_before: usize,
    rate_before: f64,
}

impl Pace {
    /// Begins with half of `limit_max`, which is never exceeded.
    pub fn new(limit_max: usize) -> Self {
        let limit_max = limit_max.max(1);
        Self {
            limit: limit_max.div_ceil(2),
            limit_max,
            round: Round::default(),
            late_replies: 0,
            fastest: None,
            trial: None,
            tried: Vec::new(),
            quiet_rounds: 0,
        }
    }

    /// Requests to have under way at once; at least 1.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Takes note of a reply of `bytes`, that came at `now` (since the beginning) and took `taken`.
    pub fn replied(&mut self, now: Duration, taken: Duration, bytes: u64) {
        self.fastest = Some(self.fastest.map_or(taken, |fastest| fastest.min(taken)));
        if self.late_replies > 0 {
            self.late_replies -= 1;
            self.round = Round::begin(now);
            return;
        }
        self.round.replies += 1;
        self.round.bytes += bytes;
        self.round.taken += taken;
        if self.round.replies >= self.limit.max(ROUND_REPLIES_MIN) {
            let (rate, queued) = (self.round.rate(now), self.is_queue());
            self.round = Round::begin(now);
            self.end_round(rate, queued);
        }
    }

    fn end_round(&mut self, rate: f64, queued: bool) {
        if let Some(trial) = self.trial.take() {
            let share_min = match trial.way {
                Way::Fewer => FEWER_SHARE_MIN,
                Way::More => MORE_SHARE_MIN,
            };
            if rate < trial.rate_before * share_min {
                self.tried.push(trial.way);
                self.set(trial.limit_before);
                return;
            }
            // Where it came from need not be tried again at once.
            self.tried = vec![trial.way.other()];
        }
        if self.quiet_rounds > 0 {
            self.quiet_rounds -= 1;
            return;
        }
        let ways = match queued {
            true => [Way::Fewer, Way::More],
            false => [Way::More, Way::Fewer],
        };
        let untried = |way: &Way| !self.tried.contains(way) && self.leads(*way) != self.limit;
        match ways.into_iter().find(untried) {
            Some(way) => {
                self.trial = Some(Trial {
                    way,
                    limit_before: self.limit,
                    rate_before: rate,
                });
                self.set(self.leads(way));
            }
            None => {
                self.tried.clear();
                self.quiet_rounds = QUIET_ROUNDS;
            }
        }
    }

    fn leads(&self, way: Way) -> usize {
        match way {
            Way::Fewer => (self.limit / 2).max(1),
            Way::More => (self.limit * 2).min(self.limit_max),
        }
    }

    fn set(&mut self, limit: usize) {
        // As many as are under way, at most.
        self.late_replies = self.limit;
        self.limit = limit;
    }

    fn is_queue(&self) -> bool {
        let mean = self.round.taken.as_secs_f64() / self.round.replies as f64;
        let fastest = self.fastest.map_or(mean, |fastest| fastest.as_secs_f64());
        mean > fastest * QUEUE_FACTOR
    }
}

impl Round {
    fn begin(now: Duration) -> Self {
        Self {
            begun: now,
            ..Self::default()
        }
    }

    /// Bytes a second.
    fn rate(&self, now: Duration) -> f64 {
        let time = now.saturating_sub(self.begun).max(Duration::from_nanos(1));
        self.bytes as f64 / time.as_secs_f64()
    }
}

impl Way {
    fn other(self) -> Self {
        match self {
            Way::Fewer => Way::More,
            Way::More => Way::Fewer,
        }
    }
}

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
