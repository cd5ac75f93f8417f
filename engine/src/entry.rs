//! What is run: one entry point of a canister module with its input.

use crate::method::Method;

/// A function of table 0 with the value it gets: what `call_new` and `call_on_cleanup` name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Closure {
    /// Index into table 0. 64 bits wide for wasm64 modules.
    pub fun: u64,
    /// The argument of the function.
    pub env: u64,
}

/// What kind of call context a callback belongs to: it decides what the callback may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// An update call, a replicated query, an install hook or a system task.
    Update,
    /// A composite query.
    CompositeQuery,
}

/// One entry point with its input. Execution mode (replicated or not) is [`crate::Env::replicated`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The start function. Succeeds at once when the module has none.
    Start,
    /// `canister_init`. Succeeds at once when not exported, like the other hooks and system tasks.
    Init {
        /// Argument bytes.
        arg: Vec<u8>,
    },
    /// `canister_pre_upgrade`
    PreUpgrade,
    /// `canister_post_upgrade`
    PostUpgrade {
        /// Argument bytes.
        arg: Vec<u8>,
    },
    /// A public update method.
    Update {
        /// Method name without the `canister_update ` prefix.
        method: String,
        /// Argument bytes.
        arg: Vec<u8>,
    },
    /// A public query method. State changes are dropped: [`crate::Outcome::state`] is the state
    /// that was passed in.
    Query {
        /// Method name without the `canister_query ` prefix.
        method: String,
        /// Argument bytes.
        arg: Vec<u8>,
    },
    /// A public composite query method. State changes are in [`crate::Outcome::state`] for the
    /// callbacks of the same query; the caller drops them when the query ends.
    CompositeQuery {
        /// Method name without the `canister_composite_query ` prefix.
        method: String,
        /// Argument bytes.
        arg: Vec<u8>,
    },
    /// `canister_inspect_message`. The verdict is [`crate::Effects::message_accepted`]; state
    /// changes are dropped.
    InspectMessage {
        /// Name of the method the ingress message wants to call.
        method: String,
        /// Its argument bytes.
        arg: Vec<u8>,
    },
    /// A reply callback.
    Reply {
        /// The callback.
        closure: Closure,
        /// Kind of call context.
        kind: CallKind,
        /// The reply's bytes.
        data: Vec<u8>,
    },
    /// A reject callback.
    Reject {
        /// The callback.
        closure: Closure,
        /// Kind of call context.
        kind: CallKind,
        /// Reject code, 1..6.
        code: u32,
        /// Reject message.
        message: String,
    },
    /// A cleanup callback.
    Cleanup {
        /// The callback.
        closure: Closure,
        /// Kind of call context.
        kind: CallKind,
        /// Reject code of the response whose callback failed; 0 when it was a reply.
        code: u32,
        /// Reject message of the response whose callback failed; empty when it was a reply.
        message: String,
    },
    /// `canister_heartbeat`
    Heartbeat,
    /// `canister_global_timer`
    GlobalTimer,
    /// `canister_on_low_wasm_memory`
    OnLowWasmMemory,
}

impl Entry {
    /// The export this entry runs; `None` for callbacks.
    pub fn method(&self) -> Option<Method> {
        Some(match self {
            Self::Start => Method::Start,
            Self::Init { .. } => Method::Init,
            Self::PreUpgrade => Method::PreUpgrade,
            Self::PostUpgrade { .. } => Method::PostUpgrade,
            Self::Update { method, .. } => Method::update(method),
            Self::Query { method, .. } => Method::query(method),
            Self::CompositeQuery { method, .. } => Method::composite_query(method),
            Self::InspectMessage { .. } => Method::InspectMessage,
            Self::Heartbeat => Method::Heartbeat,
            Self::GlobalTimer => Method::GlobalTimer,
            Self::OnLowWasmMemory => Method::OnLowWasmMemory,
            Self::Reply { .. } | Self::Reject { .. } | Self::Cleanup { .. } => return None,
        })
    }

    /// Whether changes of heap, globals and stable memory are dropped after the message.
    pub fn drops_state(&self) -> bool {
        matches!(self, Self::Query { .. } | Self::InspectMessage { .. })
    }
}
