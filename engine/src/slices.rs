//! The instruction budget of one message, slice by slice.
//!
//! Long executions run in slices on the Internet Computer. Nothing pauses here, but the rule
//! shows: the counter is only looked at between blocks, so an operation may overrun its slice;
//! the overrun is taken off the next slice, and an operation that leaves nothing of it fails.
//! Off chain slices only serve to look after the code now and then: nothing fails for an overrun.

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
    /// Whether operations may be longer than slices.
    tolerant: bool,
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
            tolerant: false,
        }
    }

    /// The budget of an execution off chain, which is looked after every `slice` instructions.
    pub(crate) fn tolerant(limits: &Limits, slice: u64) -> Self {
        let mut slices = Self::new(limits);
        slices.full = slices.total.min(slice as i64);
        slices.present = slices.full;
        slices.tolerant = true;
        slices
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
        if self.tolerant {
            return self.next_tolerant(counter);
        }
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

    fn next_tolerant(&mut self, counter: i64) -> Result<i64, ExecutionError> {
        let used = self.finished.saturating_add(self.in_present_slice(counter));
        if used >= self.total {
            return Err(ExecutionError::InstructionLimitExceeded {
                limit: self.reported_limit,
            });
        }
        self.finished = used;
        self.present = self.full.min(self.total - used);
        Ok(self.present)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(total: u64, slice: u64) -> Slices {
        let mut limits = Limits::update();
        limits.instructions = Some(total);
        limits.slice_instructions = Some(slice);
        Slices::new(&limits)
    }

    #[test]
    fn an_overrun_is_taken_off_the_next_slice() {
        let mut slices = slices(1_000, 100);
        assert_eq!(slices.first(), 100);
        assert_eq!(slices.next(-30).unwrap(), 70);
        assert_eq!(slices.used(70), 130);
        assert_eq!(slices.used(60), 140);
        assert_eq!(slices.next(-1).unwrap(), 99);
        assert_eq!(slices.used(99), 201);
    }

    #[test]
    fn an_operation_that_leaves_nothing_of_the_next_slice_fails() {
        let mut slices = slices(1_000, 100);
        let error = slices.next(-100).unwrap_err();
        let expected = ExecutionError::SliceOverrun {
            instructions: 200,
            limit: 100,
        };
        assert_eq!(error, expected);
    }

    #[test]
    fn the_last_slice_ends_with_the_limit() {
        let mut slices = slices(250, 100);
        slices.next(-1).unwrap();
        let last = slices.next(-1).unwrap();
        assert_eq!(last, 49);
        let error = slices.next(-5).unwrap_err();
        let limit = Limits::UPDATE_INSTRUCTIONS;
        assert_eq!(error, ExecutionError::InstructionLimitExceeded { limit });
        assert_eq!(slices.used_capped(-5), 250);
    }

    #[test]
    fn off_chain_an_operation_may_be_longer_than_slices() {
        let mut limits = Limits::unbounded();
        limits.instructions = Some(1_000);
        let mut slices = Slices::tolerant(&limits, 100);
        assert_eq!(slices.first(), 100);
        assert_eq!(slices.next(-750).unwrap(), 100);
        assert_eq!(slices.used(100), 850);
        assert_eq!(slices.next(-1).unwrap(), 49);
        slices.next(-1).unwrap_err();
        assert_eq!(slices.used_capped(-1), 1_000);
    }

    #[test]
    fn without_a_limit_the_counter_starts_at_its_greatest() {
        let slices = Slices::new(&Limits::unbounded());
        assert_eq!(slices.first(), i64::MAX);
        assert_eq!(slices.used(i64::MAX - 7), 7);
    }
}
