//! Runs one hook or system task of a canister over its backup, with relaxed rules.

use crate::error::OfflineError;
use crate::patient::Patient;
use crate::rules::{Rules, stable_32_word};
use crate::surroundings::Surroundings;
use crate::trace::Tracer;
use crate::trouble::{Trouble, hint};
use archive::digests::sha256;
use archive::provenance::{Provenance, TraceRecord};
use engine::{
    Effects, Engine, Entry, ExecutionState, Progress, Relaxed, RulesUsed, StableMemory, SystemCall,
};
use std::collections::BTreeMap;

/// What is to be run, and how.
#[derive(Debug)]
pub struct Order {
    /// The entry point.
    pub entry: Entry,
    /// What the code sees of the world.
    pub surroundings: Surroundings,
    /// Rules that are relaxed.
    pub rules: Rules,
    /// Where system calls are noted.
    pub trace: Option<Tracer>,
}

/// What a run did.
#[derive(Debug)]
pub struct Ran {
    /// The canister's state afterwards.
    pub state: ExecutionState,
    /// The memory that 32-bit functions were served on, where it is not stable memory.
    pub separate: Option<StableMemory>,
    /// What the code asked the system to do.
    pub effects: Effects,
    /// Lines it logged.
    pub logs: Vec<String>,
    /// How all of this came to be.
    pub provenance: Provenance,
}

/// Runs `order` over `patient`, whose own state stays as it is.
///
/// # Errors
/// [`OfflineError::NoEntry`] when there is nothing to run, [`OfflineError::Failed`] when the code
/// fails all the same.
pub fn run(
    engine: &Engine,
    patient: &Patient,
    order: Order,
    progress: Option<Progress>,
) -> Result<Ran, OfflineError> {
    let state = &patient.state;
    let name = entry_name(&order.entry);
    if order
        .entry
        .method()
        .is_none_or(|method| !state.module.exports(&method))
    {
        return Err(OfflineError::NoEntry { entry: name });
    }
    let answers = order.rules.answers_for(state.module.wasm_bytes())?;
    let tracer = order.trace.clone();
    let relaxed = Relaxed {
        stable_32_bit: order.rules.stable_32_bit,
        answers,
        trace: tracer.map(|tracer| {
            let note = move |call: &SystemCall<'_>| tracer.note(call);
            Box::new(note) as engine::Trace
        }),
        progress,
    };
    let env = order.surroundings.env(patient);
    let limits = order.rules.limits();
    let (outcome, used) = engine.execute_relaxed(state, &order.entry, &env, &limits, relaxed);
    let trace = finish_trace(&order)?;
    let logs: Vec<String> = outcome
        .logs
        .iter()
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    let effects = outcome.result.map_err(|error| {
        let trouble = Trouble::of(&error, &used, state.heap.size_bytes());
        OfflineError::Failed {
            hint: hint(&trouble, &logs),
            entry: name.clone(),
            instructions: outcome.instructions_used,
            error: Box::new(error),
            trouble: Box::new(trouble),
        }
    })?;
    let argument = match &order.entry {
        Entry::PostUpgrade { arg } | Entry::Init { arg } | Entry::Update { arg, .. } => Some(arg),
        _ => None,
    };
    let provenance = Provenance {
        entry: name,
        argument_sha256: argument.map(|arg| hex::encode(sha256(arg))),
        source: patient.source.clone(),
        module: patient.module.clone(),
        globals: patient.globals,
        rules: order.rules.words(),
        rules_used: words_used(&order.rules, &used),
        instructions: outcome.instructions_used,
        trace,
    };
    Ok(Ran {
        state: outcome.state,
        separate: used.separate,
        effects,
        logs,
        provenance,
    })
}

/// The export that an entry runs.
pub fn entry_name(entry: &Entry) -> String {
    entry
        .method()
        .map_or_else(|| "a callback".to_string(), |method| method.to_string())
}

fn finish_trace(order: &Order) -> Result<Option<TraceRecord>, OfflineError> {
    let finished = order.trace.as_ref().map(Tracer::finish).transpose();
    finished.map_err(|source| OfflineError::Write {
        path: "the trace".into(),
        source,
    })
}

/// What the relaxed rules changed, in the words of [`Rules::words`].
pub fn words_used(rules: &Rules, used: &RulesUsed) -> BTreeMap<String, u64> {
    let mut words = BTreeMap::new();
    if used.stable_pages_grown > 0 {
        words.insert("stable=grows".to_string(), used.stable_pages_grown);
    }
    if used.stable_32_bit_calls > 0 {
        let word = format!("stable32={}", stable_32_word(rules.stable_32_bit));
        words.insert(word, used.stable_32_bit_calls);
    }
    let answered = used.answered.iter();
    words.extend(answered.map(|(function, count)| (format!("answer {function}"), *count)));
    words
}
