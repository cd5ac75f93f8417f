//! Running a canister's code off chain: which rules are relaxed, and who is told what happens.
//!
//! On chain none of this exists: [`crate::Engine::execute`] never looks at it. A relaxed execution
//! is the same code over the same state; it differs only where a rule named here would have ended
//! it, and each use of such a rule is counted in [`RulesUsed`].

use crate::stable::StableMemory;
use std::collections::BTreeMap;
use std::fmt;

/// Instructions between two reports of progress.
const PROGRESS_INSTRUCTIONS: u64 = 1_000_000_000;

/// What the 32-bit stable memory functions reach when stable memory is beyond their 4 GiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stable32 {
    /// Nothing: they trap, as on chain.
    #[default]
    Traps,
    /// The first 4 GiB of stable memory.
    Low,
    /// An empty memory that takes the place of stable memory from the first such call on.
    Fresh,
    /// An empty memory of their own; the 64-bit functions keep stable memory as it is.
    Separate,
}

/// One system call of a relaxed execution, as its trace shows it.
#[derive(Debug)]
pub struct SystemCall<'a> {
    /// Name of the function, without `ic0.`.
    pub function: &'a str,
    /// Its arguments, sign-extended to 64 bits.
    pub arguments: &'a [i64],
    /// What it returned; none for functions without result, and for calls that ended the message.
    pub result: Option<i64>,
    /// Whether it was forbidden here and answered by [`Relaxed::answers`].
    pub answered: bool,
    /// Whether it ended the message.
    pub failed: bool,
}

/// Told about each system call.
pub type Trace = Box<dyn FnMut(&SystemCall<'_>) + Send>;
/// Told how many instructions were used so far, about every billion of them.
pub type Progress = Box<dyn FnMut(u64) + Send>;

/// Rules that are relaxed, and who watches.
#[derive(Default)]
pub struct Relaxed {
    /// What the 32-bit stable memory functions reach beyond 4 GiB.
    pub stable_32_bit: Stable32,
    /// System functions, without `ic0.`, that are answered where they are forbidden: by the value
    /// they return. Functions that copy bytes to the heap copy nothing then.
    pub answers: BTreeMap<String, i64>,
    /// Told about each system call; slows the execution down.
    pub trace: Option<Trace>,
    /// Told how far the execution is.
    pub progress: Option<Progress>,
}

impl fmt::Debug for Relaxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relaxed")
            .field("stable_32_bit", &self.stable_32_bit)
            .field("answers", &self.answers)
            .finish_non_exhaustive()
    }
}

/// How often relaxed rules made a difference.
#[derive(Clone, Debug, Default)]
pub struct RulesUsed {
    /// Pages (64 KiB) by which stable memory grew because it was accessed beyond its end.
    pub stable_pages_grown: u64,
    /// Calls of 32-bit stable memory functions on a memory beyond 4 GiB.
    pub stable_32_bit_calls: u64,
    /// Forbidden calls that were answered, by function.
    pub answered: BTreeMap<String, u64>,
    /// How often the heap could not grow: it ended at what its addresses reach or its module allows. No
    /// rule lifts that; it is counted here because a failed message tells nothing of it.
    pub heap_growths_refused: u64,
    /// The memory of [`Stable32::Separate`], if the code used it.
    pub separate: Option<StableMemory>,
}

/// A relaxed execution under way.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) rules: Relaxed,
    pub(crate) used: RulesUsed,
    reported: u64,
}

impl Running {
    pub(crate) fn new(rules: Relaxed) -> Self {
        Self {
            rules,
            used: RulesUsed::default(),
            reported: 0,
        }
    }

    /// Whether calls of `function` have to be watched.
    pub(crate) fn watches(&self, function: &str) -> bool {
        self.rules.trace.is_some() || self.rules.answers.contains_key(function)
    }

    /// How many instructions the code may run before it reports.
    pub(crate) fn slice_instructions() -> u64 {
        PROGRESS_INSTRUCTIONS
    }

    /// Reports progress, at most once per slice.
    pub(crate) fn progress(&mut self, used: u64) {
        if used >= self.reported + PROGRESS_INSTRUCTIONS {
            self.reported = used;
            if let Some(progress) = &mut self.rules.progress {
                progress(used);
            }
        }
    }
}
