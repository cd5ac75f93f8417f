//! Runs one hook or system task of a canister over its backup, with relaxed rules.

use crate::error::OfflineError;
use crate::patient::Patient;
use crate::rules::{Rules, stable_32_word};
use crate::surroundings::Surroundings;
use crate::trace::Tracer;
use archive::digests::sha256;
use archive::provenance::{Provenance, TraceRecord};
use engine::{
    Effects, Engine, Entry, ExecutionError, ExecutionState, Progress, Relaxed, RulesUsed, Stable32,
    StableMemory, SystemCall, TrapCode,
};
use std::collections::BTreeMap;

/// Log lines of a failed run that are shown.
const LOG_LINES_MAX: usize = 20;
/// A heap from here on is called nearly full: a 32-bit heap ends at 4 GiB.
const NEARLY_FULL_HEAP_BYTES: u64 = 3 << 30;

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
    let effects = outcome.result.map_err(|error| OfflineError::Failed {
        hint: hint(&error, patient, &logs),
        entry: name.clone(),
        instructions: outcome.instructions_used,
        error: Box::new(error),
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

/// What may help against a failure, and the last lines the code logged.
fn hint(error: &ExecutionError, patient: &Patient, logs: &[String]) -> String {
    let mut hint = String::new();
    let mut add = |text: &str| {
        hint.push('\n');
        hint.push_str(text);
    };
    match error {
        ExecutionError::Trapped {
            code: TrapCode::StableMemoryTooBigFor32Bit,
            ..
        } => add(
            "it uses the 32-bit stable memory functions, which end at 4 GiB: choose what they \
             reach with --rule stable32=low (the first 4 GiB), fresh (an empty memory in the \
             place of the old one) or separate (an empty memory of their own)",
        ),
        ExecutionError::Trapped {
            code: TrapCode::StableMemoryOutOfBounds,
            ..
        } => add("allow stable memory to grow with --rule stable=grows"),
        ExecutionError::UserContractViolation { error, .. } if error.contains("cannot be") => {
            add("give the function an answer with --answer FUNCTION=VALUE (call=0 for calls)");
        }
        ExecutionError::InstructionLimitExceeded { .. } => {
            add("raise the limit with --rule instructions=NUMBER");
        }
        _ if !patient.state.module.is_wasm64()
            && patient.state.heap.size_bytes() >= NEARLY_FULL_HEAP_BYTES =>
        {
            add(
                "its heap is close to 4 GiB, where 32-bit code ends off chain as well: if it ran \
                 out of memory while serialising, go on with its heap instead (`ic-rescue hotfix`)",
            );
        }
        _ => {}
    }
    let first = logs.len().saturating_sub(LOG_LINES_MAX);
    for line in &logs[first..] {
        add(&format!("log: {line}"));
    }
    hint
}

/// Whether `rules` may leave a memory smaller than the canister's: it cannot be written over it then.
pub fn may_shrink(rules: &Rules) -> bool {
    rules.stable_32_bit == Stable32::Fresh
}
