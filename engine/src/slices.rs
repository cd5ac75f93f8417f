//! The instruction budget of one message, slice by slice.
//!
//! Long executions run in slices on the Internet Computer. Nothing pauses here, but the rule
//! shows: the counter is only looked at between blocks, so an operation may overrun its slice;
//! the overrun is taken off the next slice, and an operation that leaves nothing of it fails.

use crate::env::Limits;
use crate::error::ExecutionError;

#[derive(Debug)]
pub(crate) struct Slices {
    reported_limit: u64,
    total: i64,
    /// Length of a full slice.
    full: i64,
    /// Length of the present slice.
    present: i64,
    /// Instructions of finished slices.
    finished: i64,
}

impl Slices {
    pub(crate) fn new(limits: &Limits) -> Self {
        let clamp = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let total = limits.instructions.map_or(i64::MAX, clamp);
        let full = limits.slice_instructions.map_or(total, clamp).min(total);
        Self {
            reported_limit: limits.reported_instructions,
            total,
            full,
            present: full,
            finished: 0,
        }
    }

    /// Counter value at the start of the message.
    pub(crate) fn first(&self) -> i64 {
        self.present
    }

    fn in_present_slice(&self, counter: i64) -> i64 {
        self.present.saturating_sub(counter).max(0)
    }

    /// Instructions used so far, given the counter.
    pub(crate) fn used(&self, counter: i64) -> u64 {
        self.finished.saturating_add(self.in_present_slice(counter)) as u64
    }

    /// Instructions to account for: never more than the limit.
    pub(crate) fn used_capped(&self, counter: i64) -> u64 {
        self.used(counter).min(self.total as u64)
    }

    /// The counter is below zero: its value for the next slice, or the end.
    pub(crate) fn next(&mut self, counter: i64) -> Result<i64, ExecutionError> {
        let left = self.total - self.finished;
        if self.present >= left {
            return Err(ExecutionError::InstructionLimitExceeded {
                limit: self.reported_limit,
            });
        }
        let used = self.in_present_slice(counter);
        let overrun = (used - self.present).max(0);
        let next = (self.full - overrun).clamp(0, left);
        if next == 0 {
            return Err(ExecutionError::SliceOverrun {
                instructions: used as u64,
                limit: self.full as u64,
            });
        }
        self.finished = self.finished.saturating_add(used);
        // What is left may be less than a slice, or nothing after an overrun.
        self.present = (self.full - overrun).clamp(0, (self.total - self.finished).max(0));
        Ok(self.present)
    }
}
