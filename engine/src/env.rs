//! The surroundings of one message: what the system API answers from, and what bounds it.

use candid::Principal;
use std::collections::BTreeMap;

/// What `ic0.canister_status` answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CanisterStatus {
    /// 1
    #[default]
    Running,
    /// 2
    Stopping,
    /// 3
    Stopped,
}

/// Everything a message can learn about the world. [`Env::new`] gives a neutral one to fill in.
#[derive(Clone, Debug)]
pub struct Env {
    /// The canister that runs.
    pub canister_id: Principal,
    /// Who called; the management canister for system tasks.
    pub caller: Principal,
    /// Whether the caller may read the canister's log: errors of traps show a backtrace then.
    pub caller_reads_logs: bool,
    /// The canister's subnet.
    pub subnet_id: Principal,
    /// Time in nanoseconds since 1970.
    pub time_ns: u64,
    /// Canister version the message sees.
    pub canister_version: u64,
    /// Life cycle state.
    pub status: CanisterStatus,
    /// Principals for which `ic0.is_controller` answers 1.
    pub controllers: Vec<Principal>,
    /// Balance in cycles at the start, prepayment for this message already taken off.
    pub cycle_balance: u128,
    /// Cycles below which the canister is frozen; bounds what calls and burning may spend.
    pub freezing_threshold_cycles: u128,
    /// Cycles of the call that are still available to accept.
    pub cycles_available: u128,
    /// Cycles refunded by the response, for callbacks.
    pub cycles_refunded: u128,
    /// Deadline of a best-effort call in nanoseconds since 1970; 0 = none.
    pub deadline_ns: u64,
    /// Whether the call context was answered before this message (callbacks only).
    pub already_responded: bool,
    /// Certificate over the canister's certified data; queries only.
    pub data_certificate: Option<Vec<u8>>,
    /// Global timer as it stands, nanoseconds since 1970; 0 = not set.
    pub global_timer_ns: u64,
    /// Environment variables of the canister's settings.
    pub environment_variables: BTreeMap<String, String>,
    /// Replicated execution (through consensus) or a query on one node.
    pub replicated: bool,
    /// Instructions the call context used in earlier messages, for `performance_counter(1)`.
    pub call_context_instructions: u64,
    /// DER-encoded root public key.
    pub root_key: Vec<u8>,
    /// `wasm_memory_limit` of the settings in bytes; `None` or 0 = no limit.
    pub wasm_memory_limit: Option<u64>,
    /// Bytes the subnet still has for this canister's memories to grow.
    pub subnet_available_memory_bytes: u64,
    /// Nodes of the subnet: scales fees.
    pub subnet_size: u64,
    /// Requests per callee that take a slot of its queue (at most 500 fit).
    pub open_requests: BTreeMap<Principal, usize>,
}

impl Env {
    /// A running canister without controllers, replicated mode, empty balance, 13 nodes, time 0.
    pub fn new(canister_id: Principal) -> Self {
        Self {
            canister_id,
            caller: Principal::anonymous(),
            caller_reads_logs: true,
            subnet_id: Principal::management_canister(),
            time_ns: 0,
            canister_version: 0,
            status: CanisterStatus::Running,
            controllers: Vec::new(),
            cycle_balance: 0,
            freezing_threshold_cycles: 0,
            cycles_available: 0,
            cycles_refunded: 0,
            deadline_ns: 0,
            already_responded: false,
            data_certificate: None,
            global_timer_ns: 0,
            environment_variables: BTreeMap::new(),
            replicated: true,
            call_context_instructions: 0,
            root_key: Vec::new(),
            wasm_memory_limit: None,
            subnet_available_memory_bytes: u64::MAX,
            subnet_size: 13,
            open_requests: BTreeMap::new(),
        }
    }
}

/// Bounds of one message. The constructors give the Internet Computer's, for application subnets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions left for this message; `None` = no limit (for offline rescue).
    pub instructions: Option<u64>,
    /// The number the "exceeded the limit of N instructions" text names. Differs from
    /// `instructions` when several stages share one budget.
    pub reported_instructions: u64,
    /// Instructions of one execution slice: no single operation may overrun a slice by another
    /// slice. `None` = not sliced.
    pub slice_instructions: Option<u64>,
    /// Longest reply, bytes.
    pub reply_max_bytes: u64,
    /// Stable memory one message may read or write, bytes, each.
    pub stable_access_max_bytes: u64,
    /// Whether stable memory grows by itself when accessed beyond its end: for running a
    /// canister's code offline. Never on the Internet Computer.
    pub stable_grows_on_demand: bool,
}

impl Limits {
    /// Instructions of an update, callback, timer or heartbeat (`MAX_INSTRUCTIONS_PER_MESSAGE`).
    pub const UPDATE_INSTRUCTIONS: u64 = 40_000_000_000;
    /// Instructions of a query, replicated or not.
    pub const QUERY_INSTRUCTIONS: u64 = 5_000_000_000;
    /// Instructions of all stages of one `install_code` together.
    pub const INSTALL_INSTRUCTIONS: u64 = 300_000_000_000;
    /// Instructions of `canister_inspect_message`.
    pub const INSPECT_INSTRUCTIONS: u64 = 200_000_000;
    /// Longest reply of replicated execution.
    pub const REPLICATED_REPLY_MAX_BYTES: u64 = 2 << 20;
    /// Longest reply of a query on one node.
    pub const QUERY_REPLY_MAX_BYTES: u64 = 3 << 20;

    /// Instructions of one slice of a long execution (`MAX_INSTRUCTIONS_PER_SLICE`).
    pub const SLICE_INSTRUCTIONS: u64 = 2_000_000_000;

    const fn new(instructions: u64, reply_max_bytes: u64, stable_access_max_gib: u64) -> Self {
        Self {
            instructions: Some(instructions),
            reported_instructions: instructions,
            slice_instructions: None,
            reply_max_bytes,
            stable_access_max_bytes: stable_access_max_gib << 30,
            stable_grows_on_demand: false,
        }
    }

    /// Updates, callbacks, system tasks.
    pub const fn update() -> Self {
        Self::new(
            Self::UPDATE_INSTRUCTIONS,
            Self::REPLICATED_REPLY_MAX_BYTES,
            2,
        )
        .sliced()
    }

    const fn sliced(mut self) -> Self {
        self.slice_instructions = Some(Self::SLICE_INSTRUCTIONS);
        self
    }

    /// Queries and composite queries on one node.
    pub const fn query() -> Self {
        Self::new(Self::QUERY_INSTRUCTIONS, Self::QUERY_REPLY_MAX_BYTES, 1)
    }

    /// Query methods called through consensus.
    pub const fn replicated_query() -> Self {
        Self::new(
            Self::QUERY_INSTRUCTIONS,
            Self::REPLICATED_REPLY_MAX_BYTES,
            1,
        )
        .sliced()
    }

    /// One stage of `install_code`; `left` is what earlier stages left of
    /// [`Limits::INSTALL_INSTRUCTIONS`].
    pub const fn install(left: u64) -> Self {
        let mut limits = Self::new(
            Self::INSTALL_INSTRUCTIONS,
            Self::REPLICATED_REPLY_MAX_BYTES,
            8,
        )
        .sliced();
        limits.instructions = Some(left);
        limits
    }

    /// `canister_inspect_message`.
    pub const fn inspect() -> Self {
        Self::new(
            Self::INSPECT_INSTRUCTIONS,
            Self::REPLICATED_REPLY_MAX_BYTES,
            1,
        )
    }

    /// No limit on instructions or stable memory: for running a canister's code offline.
    pub const fn unbounded() -> Self {
        Self {
            instructions: None,
            reported_instructions: u64::MAX,
            slice_instructions: None,
            reply_max_bytes: u64::MAX,
            stable_access_max_bytes: u64::MAX,
            stable_grows_on_demand: true,
        }
    }
}
