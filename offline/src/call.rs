//! Calls one method of a canister over its backup: queries, and updates on a scratch copy.

use crate::error::OfflineError;
use crate::rules::Rules;
use crate::run::{Ran, words_used};
use crate::surroundings::Surroundings;
use crate::trouble::{Trouble, hint};
use crate::{Interface, Patient};
use archive::digests::sha256;
use archive::provenance::Provenance;
use engine::{
    Effects, Engine, Entry, Env, ExecutionState, Limits, Method, MethodKind, Module, Progress,
    Relaxed, Response, RulesUsed,
};

/// What a method answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The reply's bytes.
    pub reply: Vec<u8>,
    /// Instructions it used.
    pub instructions: u64,
    /// The state afterwards: for updates what they left, for queries what it was.
    pub state: ExecutionState,
    /// What it asked the system to do.
    pub effects: Effects,
}

/// How a method of a module can be called.
///
/// # Errors
/// [`OfflineError::NoMethod`] lists what there is.
pub fn kind(module: &Module, method: &str) -> Result<MethodKind, OfflineError> {
    let public = || {
        module.methods().iter().filter_map(|method| match method {
            Method::Public(kind, name) => Some((*kind, name.as_str())),
            _ => None,
        })
    };
    let found = public().find(|(_, name)| *name == method);
    found.map(|(kind, _)| kind).ok_or_else(|| {
        let mut known: Vec<&str> = public().map(|(_, name)| name).collect();
        known.sort_unstable();
        OfflineError::NoMethod {
            method: method.to_string(),
            known: known.join(", "),
        }
    })
}

/// Calls `method` of the code in `state`.
///
/// # Errors
/// When the method is not there, fails, rejects, or waits for another canister.
pub fn call(
    engine: &Engine,
    state: &ExecutionState,
    (method, argument): (&str, Vec<u8>),
    env: &Env,
    limits: &Limits,
) -> Result<Answer, OfflineError> {
    let kind = kind(&state.module, method)?;
    let (entry, env) = message(kind, method, argument, env);
    let outcome = engine.execute(state, &entry, &env, limits);
    let failed = |error| OfflineError::Failed {
        entry: format!("{method} ({})", kind.as_str()),
        instructions: outcome.instructions_used,
        trouble: Box::new(Trouble::of(
            &error,
            &RulesUsed::default(),
            state.heap.size_bytes(),
        )),
        error: Box::new(error),
        hint: String::new(),
    };
    let effects = outcome.result.map_err(failed)?;
    let reply = reply_of(method, &effects)?;
    Ok(Answer {
        reply,
        instructions: outcome.instructions_used,
        state: outcome.state,
        effects,
    })
}

/// Calls an update method over a backup and returns what a new backup needs.
///
/// # Errors
/// As [`call`].
pub fn call_and_keep(
    engine: &Engine,
    patient: &Patient,
    (method, argument): (&str, Vec<u8>),
    (surroundings, rules): (&Surroundings, &Rules),
    progress: Option<Progress>,
) -> Result<(Ran, Vec<u8>), OfflineError> {
    let state = &patient.state;
    let kind = kind(&state.module, method)?;
    let argument_sha256 = Some(hex::encode(sha256(&argument)));
    let (entry, env) = message(kind, method, argument, &surroundings.env(patient));
    let relaxed = Relaxed {
        stable_32_bit: rules.stable_32_bit,
        answers: rules.answers_for(state.module.wasm_bytes())?,
        trace: None,
        progress,
    };
    let (outcome, used) = engine.execute_relaxed(state, &entry, &env, &rules.limits(), relaxed);
    let failed = |error| {
        let trouble = Trouble::of(&error, &used, state.heap.size_bytes());
        OfflineError::Failed {
            entry: format!("{method} ({})", kind.as_str()),
            instructions: outcome.instructions_used,
            hint: hint(&trouble, &[]),
            trouble: Box::new(trouble),
            error: Box::new(error),
        }
    };
    let effects = outcome.result.map_err(failed)?;
    let reply = reply_of(method, &effects)?;
    let provenance = Provenance {
        entry: crate::run::entry_name(&entry),
        argument_sha256,
        source: patient.source.clone(),
        module: patient.module.clone(),
        globals: patient.globals,
        rules: rules.words(),
        rules_used: words_used(rules, &used),
        instructions: outcome.instructions_used,
        trace: None,
    };
    let logs = outcome
        .logs
        .iter()
        .map(|line| String::from_utf8_lossy(line).into_owned());
    let ran = Ran {
        logs: logs.collect(),
        state: outcome.state,
        separate: used.separate,
        effects,
        provenance,
    };
    Ok((ran, reply))
}

/// A reply as candid text, by `interface` where it is known.
///
/// # Errors
/// [`OfflineError::BadReply`].
pub fn text_of(
    interface: Option<&Interface>,
    method: &str,
    reply: &[u8],
) -> Result<String, OfflineError> {
    Ok(crate::interface::decode(interface, method, reply)?.to_string())
}

fn message(kind: MethodKind, method: &str, arg: Vec<u8>, env: &Env) -> (Entry, Env) {
    let method = method.to_string();
    let mut env = env.clone();
    env.replicated = kind == MethodKind::Update;
    let entry = match kind {
        MethodKind::Update => Entry::Update { method, arg },
        MethodKind::Query => Entry::Query { method, arg },
        MethodKind::CompositeQuery => Entry::CompositeQuery { method, arg },
    };
    (entry, env)
}

fn reply_of(method: &str, effects: &Effects) -> Result<Vec<u8>, OfflineError> {
    let method = method.to_string();
    match (&effects.response, effects.calls.first()) {
        (Some(Response::Reply(reply)), _) => Ok(reply.clone()),
        (Some(Response::Reject(message)), _) => Err(OfflineError::Rejected {
            method,
            message: message.clone(),
        }),
        (None, Some(call)) => Err(OfflineError::Waits {
            method,
            callee: call.callee.to_text(),
            called: call.method.clone(),
        }),
        (None, None) => Err(OfflineError::NoAnswer { method }),
    }
}
