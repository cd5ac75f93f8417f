//! In which context which system call is allowed.

use crate::entry::{CallKind, Entry};
use crate::error::{ExecutionError, WRONG_MODE};

/// What kind of message runs, with its name in error texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    bit: u16,
    name: &'static str,
}

/// A set of contexts.
pub(crate) type Contexts = u16;

const START: Contexts = 1 << 0;
/// init and post_upgrade
const INIT: Contexts = 1 << 1;
const PRE_UPGRADE: Contexts = 1 << 2;
const UPDATE: Contexts = 1 << 3;
const REPLICATED_QUERY: Contexts = 1 << 4;
const QUERY: Contexts = 1 << 5;
const COMPOSITE_QUERY: Contexts = 1 << 6;
const REPLY: Contexts = 1 << 7;
const REJECT: Contexts = 1 << 8;
const CLEANUP: Contexts = 1 << 9;
const COMPOSITE_REPLY: Contexts = 1 << 10;
const COMPOSITE_REJECT: Contexts = 1 << 11;
const COMPOSITE_CLEANUP: Contexts = 1 << 12;
/// heartbeat, timer and low memory hook
const SYSTEM_TASK: Contexts = 1 << 13;
const INSPECT: Contexts = 1 << 14;

/// Everywhere but in the start function.
pub(crate) const NOT_START: Contexts = !START;
/// Where there is an argument: for callbacks, the reply.
pub(crate) const HAS_ARGUMENT: Contexts =
    INIT | UPDATE | REPLICATED_QUERY | QUERY | COMPOSITE_QUERY | REPLY | COMPOSITE_REPLY | INSPECT;
/// Where a call context can be answered.
pub(crate) const ANSWERS: Contexts = UPDATE
    | REPLICATED_QUERY
    | QUERY
    | COMPOSITE_QUERY
    | REPLY
    | REJECT
    | COMPOSITE_REPLY
    | COMPOSITE_REJECT;
/// Where calls can be made.
pub(crate) const CALLS: Contexts =
    UPDATE | COMPOSITE_QUERY | SYSTEM_TASK | REPLY | REJECT | COMPOSITE_REPLY | COMPOSITE_REJECT;
/// Where cycles can be attached to calls.
pub(crate) const CALLS_WITH_CYCLES: Contexts = UPDATE | SYSTEM_TASK | REPLY | REJECT;
/// Where cycles of the call can be accepted.
pub(crate) const CYCLES_IN: Contexts = UPDATE | REPLICATED_QUERY | REPLY | REJECT;
/// Where a response may bring cycles back.
pub(crate) const REFUNDS: Contexts = REPLY | REJECT;
/// Where the canister's own cycles can be burned.
pub(crate) const BURNS: Contexts =
    INIT | PRE_UPGRADE | UPDATE | REPLICATED_QUERY | REPLY | REJECT | CLEANUP | SYSTEM_TASK;
/// Where certified data can be set.
pub(crate) const CERTIFIES: Contexts = INIT | PRE_UPGRADE | UPDATE | REPLY | REJECT | SYSTEM_TASK;
/// Where the global timer can be set.
pub(crate) const SETS_TIMER: Contexts = CERTIFIES | CLEANUP;
/// Where the reject code of a response is known: 0 for replies.
pub(crate) const RESPONSES: Contexts = REPLY | REJECT | COMPOSITE_REPLY | COMPOSITE_REJECT;
/// Where the message of a reject is known.
pub(crate) const REJECTS: Contexts = REJECT | COMPOSITE_REJECT;
/// Where a call may have a deadline.
pub(crate) const HAS_DEADLINE: Contexts = ANSWERS;
/// Where a certificate may be present.
pub(crate) const CERTIFICATES: Contexts = QUERY | COMPOSITE_QUERY;
/// Where the root key is known.
pub(crate) const ROOT_KEY: Contexts = BURNS;
/// Where an ingress message is inspected.
pub(crate) const INSPECTS: Contexts = INSPECT;
/// Where the cycles minting canister could mint.
pub(crate) const MINTS: Contexts = CALLS_WITH_CYCLES;

const NOT_REPLICATED: Contexts =
    INSPECT | QUERY | COMPOSITE_QUERY | COMPOSITE_REPLY | COMPOSITE_REJECT | COMPOSITE_CLEANUP;
const COMPOSITE: Contexts =
    COMPOSITE_QUERY | COMPOSITE_REPLY | COMPOSITE_REJECT | COMPOSITE_CLEANUP;

impl Context {
    pub(crate) fn new(entry: &Entry, replicated: bool) -> Self {
        let composite = |kind: CallKind, plain, composite| match kind {
            CallKind::Update => plain,
            CallKind::CompositeQuery => composite,
        };
        let (bit, name) = match entry {
            Entry::Start => (START, "start"),
            Entry::Init { .. } | Entry::PostUpgrade { .. } => (INIT, "init"),
            Entry::PreUpgrade => (PRE_UPGRADE, "pre upgrade"),
            Entry::Update { .. } => (UPDATE, "update"),
            Entry::Query { .. } if replicated => (REPLICATED_QUERY, "replicated query"),
            Entry::Query { .. } => (QUERY, "non replicated query"),
            Entry::CompositeQuery { .. } => (COMPOSITE_QUERY, "composite query"),
            Entry::InspectMessage { .. } => (INSPECT, "inspect message"),
            Entry::Reply { kind, .. } => composite(
                *kind,
                (REPLY, "reply callback"),
                (COMPOSITE_REPLY, "composite reply callback"),
            ),
            Entry::Reject { kind, .. } => composite(
                *kind,
                (REJECT, "reject callback"),
                (COMPOSITE_REJECT, "composite reject callback"),
            ),
            Entry::Cleanup { kind, .. } => composite(
                *kind,
                (CLEANUP, "cleanup"),
                (COMPOSITE_CLEANUP, "composite cleanup"),
            ),
            Entry::Heartbeat => (SYSTEM_TASK, "heartbeat"),
            Entry::GlobalTimer => (SYSTEM_TASK, "global timer"),
            Entry::OnLowWasmMemory => (SYSTEM_TASK, "on low Wasm memory"),
        };
        Self { bit, name }
    }

    pub(crate) fn is_in(self, contexts: Contexts) -> bool {
        self.bit & contexts != 0
    }

    /// Whether `function` may be called here.
    pub(crate) fn require(self, contexts: Contexts, function: &str) -> Result<(), ExecutionError> {
        if self.is_in(contexts) {
            Ok(())
        } else {
            Err(self.violation(function))
        }
    }

    /// The error of calling `function` here.
    pub(crate) fn violation(self, function: &str) -> ExecutionError {
        ExecutionError::UserContractViolation {
            error: format!("\"{function}\" cannot be executed in {} mode", self.name),
            suggestion: "Check the ICP documentation to make sure APIs are being called in the \
                         correct message types."
                .to_string(),
            anchor: WRONG_MODE,
        }
    }

    pub(crate) fn in_replicated_execution(self) -> bool {
        !self.is_in(NOT_REPLICATED)
    }

    /// Whether `wasm_memory_limit` bounds growth: not where it could keep data from being saved.
    pub(crate) fn obeys_wasm_memory_limit(self) -> bool {
        self.is_in(START | INIT | UPDATE)
    }

    /// Whether memory growth lasts.
    pub(crate) fn keeps_memory(self) -> bool {
        !self.is_in(REPLICATED_QUERY | QUERY | INSPECT | COMPOSITE)
    }
}
