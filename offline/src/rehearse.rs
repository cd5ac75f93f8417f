//! Rehearses an upgrade over a backup, under the rules of the chain: the old module's hook, the new
//! module's start, the new module's hooks, and then once more, as the next upgrade will be.
//!
//! ```text
//! backup ─► old pre_upgrade ─► new start, post_upgrade ─► new pre_upgrade ─► new start, post_upgrade
//!    │                                  │                                            │
//! checks                              checks                                       checks
//! ```
//!
//! The instructions of one upgrade's stages and of compiling share one budget, as on chain. What a
//! rehearsal cannot know: the canister's settings and cycles, what the subnet has free, and messages
//! that arrive between backup and upgrade.

use crate::error::OfflineError;
use crate::patient::Patient;
use crate::surroundings::Surroundings;
use crate::{Interface, call, interface};
use engine::{Engine, Entry, ExecutionState, HeapHandling, Limits, Module, Progress, Relaxed};
use std::sync::Arc;

/// A query that must answer the same before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The method.
    pub method: String,
    /// Its argument, candid text.
    pub argument: String,
}

impl Check {
    /// Reads `METHOD` or `METHOD=(candid)`.
    pub fn parse(text: &str) -> Self {
        let (method, argument) = text.split_once('=').unwrap_or((text, "()"));
        Self {
            method: method.trim().to_string(),
            argument: argument.trim().to_string(),
        }
    }
}

/// What is rehearsed.
#[derive(Debug)]
pub struct Plan {
    /// The new module.
    pub new: Arc<Module>,
    /// Argument of both `post_upgrade` calls.
    pub argument: Vec<u8>,
    /// What becomes of the heap.
    pub heap: HeapHandling,
    /// Whether the old module's hook is left out, as by `skip_pre_upgrade`.
    pub skip_pre_upgrade: bool,
    /// Queries to compare.
    pub checks: Vec<Check>,
    /// What the code sees of the world.
    pub surroundings: Surroundings,
    /// Interface of both modules; none for the one each carries.
    pub interface: Option<Interface>,
}

/// One stage of an upgrade.
#[derive(Clone, Debug)]
pub struct Stage {
    /// `first` or `second` upgrade.
    pub upgrade: &'static str,
    /// What ran.
    pub name: String,
    /// Instructions it used.
    pub instructions: u64,
    /// Instructions that were left of the upgrade's budget after it.
    pub left: u64,
    /// Heap afterwards, bytes.
    pub heap_bytes: u64,
    /// Stable memory afterwards, bytes.
    pub stable_bytes: u64,
    /// Why it failed.
    pub failure: Option<String>,
}

/// The answers to one check. An error is an answer, too.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The check.
    pub check: Check,
    /// By the old module, before.
    pub before: Result<String, String>,
    /// By the new module, after the first and the second upgrade, as far as they came.
    pub after: Vec<Result<String, String>>,
}

impl Compared {
    /// Whether all answers are equal and none is an error.
    pub fn is_equal(&self) -> bool {
        self.before.is_ok() && self.after.iter().all(|answer| *answer == self.before)
    }
}

/// What a rehearsal found out.
#[derive(Clone, Debug, Default)]
pub struct Rehearsal {
    /// The stages, in order; the last may have failed.
    pub stages: Vec<Stage>,
    /// The checks.
    pub checks: Vec<Compared>,
    /// The state after the first upgrade, if it came so far.
    pub upgraded: Option<ExecutionState>,
}

impl Rehearsal {
    /// Whether both upgrades went through.
    pub fn upgrades(&self) -> bool {
        self.stages.iter().all(|stage| stage.failure.is_none())
    }

    /// Whether both upgrades went through and every check answered the same.
    pub fn passes(&self) -> bool {
        self.upgrades() && self.checks.iter().all(Compared::is_equal)
    }
}

/// Makes progress callbacks, one per stage.
pub type Watch<'a> = &'a mut dyn FnMut(&str) -> Option<Progress>;

/// Rehearses `plan` over `patient`.
///
/// # Errors
/// When the options do not fit the modules; a failing stage is no error.
pub fn rehearse(
    engine: &Engine,
    patient: &Patient,
    plan: &Plan,
    watch: Watch<'_>,
) -> Result<Rehearsal, OfflineError> {
    rehearse_over(engine, patient, &patient.state, plan, watch)
}

/// Rehearses `plan` over another state of `patient`, for example the one that its hook left off chain.
///
/// # Errors
/// As [`rehearse`].
pub fn rehearse_over(
    engine: &Engine,
    patient: &Patient,
    old: &ExecutionState,
    plan: &Plan,
    watch: Watch<'_>,
) -> Result<Rehearsal, OfflineError> {
    let mut rehearsal = Rehearsal::default();
    for check in &plan.checks {
        let before = answer(engine, patient, old, check, plan);
        rehearsal.checks.push(Compared {
            check: check.clone(),
            before,
            after: Vec::new(),
        });
    }
    let mut state = old.clone();
    for (upgrade, skip) in [("first", plan.skip_pre_upgrade), ("second", false)] {
        let mut stages = Stages {
            engine,
            patient,
            plan,
            upgrade,
            left: Limits::INSTALL_INSTRUCTIONS,
            done: Vec::new(),
        };
        let next = stages.upgrade(state, skip, watch);
        rehearsal.stages.append(&mut stages.done);
        let Some(next) = next else { break };
        for compared in &mut rehearsal.checks {
            let found = answer(engine, patient, &next, &compared.check, plan);
            compared.after.push(found);
        }
        if rehearsal.upgraded.is_none() {
            rehearsal.upgraded = Some(next.clone());
        }
        state = next;
    }
    Ok(rehearsal)
}

struct Stages<'a> {
    engine: &'a Engine,
    patient: &'a Patient,
    plan: &'a Plan,
    upgrade: &'static str,
    left: u64,
    done: Vec<Stage>,
}

impl Stages<'_> {
    fn upgrade(
        &mut self,
        state: ExecutionState,
        skip_pre_upgrade: bool,
        watch: Watch<'_>,
    ) -> Option<ExecutionState> {
        let state = if skip_pre_upgrade {
            state
        } else {
            self.stage(&state, Entry::PreUpgrade, watch)?
        };
        let new = &self.plan.new;
        self.left = self.left.saturating_sub(new.compile_cost_instructions());
        let state = state.with_module(new.clone(), self.plan.heap);
        let state = self.stage(&state, Entry::Start, watch)?;
        let arg = self.plan.argument.clone();
        self.stage(&state, Entry::PostUpgrade { arg }, watch)
    }

    /// Runs one stage; `None` when it failed.
    fn stage(
        &mut self,
        state: &ExecutionState,
        entry: Entry,
        watch: Watch<'_>,
    ) -> Option<ExecutionState> {
        let exported = entry
            .method()
            .is_some_and(|method| state.module.exports(&method));
        if !exported {
            return Some(state.clone());
        }
        let name = crate::run::entry_name(&entry);
        let env = self.plan.surroundings.env(self.patient);
        let limits = Limits::install(self.left);
        let relaxed = Relaxed {
            progress: watch(&name),
            ..Relaxed::default()
        };
        let (outcome, _) = self
            .engine
            .execute_relaxed(state, &entry, &env, &limits, relaxed);
        self.left = self.left.saturating_sub(outcome.instructions_used);
        let after = outcome.state;
        let failure = outcome.result.as_ref().err().map(ToString::to_string);
        let failed = failure.is_some();
        self.done.push(Stage {
            upgrade: self.upgrade,
            name,
            instructions: outcome.instructions_used,
            left: self.left,
            heap_bytes: after.heap.size_bytes(),
            stable_bytes: after.stable.size_bytes(),
            failure,
        });
        (!failed).then_some(after)
    }
}

/// A check's answer as candid text.
///
/// # Errors
/// Why there is none, in words: an error is an answer, too.
pub fn answer(
    engine: &Engine,
    patient: &Patient,
    state: &ExecutionState,
    check: &Check,
    plan: &Plan,
) -> Result<String, String> {
    let ask = || {
        let carried = Interface::of_module(&state.module)?;
        let known = plan.interface.as_ref().or(carried.as_ref());
        let argument = interface::encode(known, &check.method, &check.argument)?;
        let env = plan.surroundings.env(patient);
        let asked = (check.method.as_str(), argument);
        let answer = call::call(engine, state, asked, &env, &Limits::query())?;
        call::text_of(known, &check.method, &answer.reply)
    };
    ask().map_err(|error: OfflineError| error.to_string())
}

/// What becomes of the heap in an upgrade from `old` to `new` when nothing else is asked for: a marked
/// module's heap is kept where the new one is marked, too.
pub fn usual_heap(old: &Module, new: &Module) -> HeapHandling {
    if old.has_marker() && new.has_marker() {
        HeapHandling::Keep
    } else {
        HeapHandling::Replace
    }
}
