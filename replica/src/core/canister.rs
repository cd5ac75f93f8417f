//! One canister: its code and memories, its settings, its open calls, its purse.

use std::collections::VecDeque;

use candid::Principal;
use engine::ExecutionState;
use ic_management_canister_types::{ChangeDetails, ChangeOrigin};

use super::chunk_store::ChunkStore;
use super::contexts::CallContexts;
use super::cycles::Prices;
use super::execute::Paused;
use super::history::History;
use super::log::Log;
use super::message::{IngressMessage, Output, Request};
use super::queues::Inputs;
use super::settings::Settings;
use super::snapshot::GLOBAL_BYTES;

/// Who waits for a canister to stop.
#[derive(Clone, Debug)]
pub enum StopWaiter {
    /// A user.
    Ingress(IngressMessage),
    /// A canister.
    Request(Request),
}

/// The life cycle.
#[derive(Clone, Debug)]
pub enum Status {
    /// Takes calls.
    Running,
    /// Takes answers only, until nothing is open.
    Stopping {
        /// Who waits, with the time since when.
        waiters: Vec<(StopWaiter, u64)>,
    },
    /// Takes nothing.
    Stopped,
}

/// Where the low memory hook stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HookStatus {
    /// There is memory enough.
    #[default]
    ConditionNotSatisfied,
    /// To be run.
    Ready,
    /// Ran since memory became low.
    Executed,
}

impl HookStatus {
    /// Follows the condition.
    pub fn update(&mut self, is_low: bool) {
        *self = match (is_low, *self) {
            (false, _) => HookStatus::ConditionNotSatisfied,
            (true, HookStatus::Executed) => HookStatus::Executed,
            (true, _) => HookStatus::Ready,
        };
    }
}

/// A system task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// `canister_heartbeat`
    Heartbeat,
    /// `canister_global_timer`
    GlobalTimer,
    /// `canister_on_low_wasm_memory`
    LowMemoryHook,
}

/// What a canister gets to do first in a round, in turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NextKind {
    /// The global timer.
    #[default]
    GlobalTimer,
    /// The heartbeat.
    Heartbeat,
    /// A message.
    Message,
}

impl NextKind {
    /// The one after.
    pub fn next(self) -> Self {
        match self {
            NextKind::GlobalTimer => NextKind::Heartbeat,
            NextKind::Heartbeat => NextKind::Message,
            NextKind::Message => NextKind::GlobalTimer,
        }
    }
}

/// A canister.
#[derive(Debug)]
pub struct Canister {
    /// Its id.
    pub id: Principal,
    /// Its settings.
    pub settings: Settings,
    /// Its life cycle.
    pub status: Status,
    /// Module and memories; `None` when empty.
    pub code: Option<ExecutionState>,
    /// Counts the changes of the canister.
    pub version: u64,
    /// Cycles.
    pub balance: u128,
    /// Cycles set aside for storage.
    pub reserved_balance: u128,
    /// At most 32 bytes.
    pub certified_data: Vec<u8>,
    /// When the global timer fires, nanoseconds since the epoch. An uploaded snapshot can set it
    /// to 0, which is a moment like any other.
    pub global_timer: Option<u64>,
    /// The low memory hook.
    pub hook: HookStatus,
    /// Changes of code and controllers.
    pub history: History,
    /// Lines printed.
    pub log: Log,
    /// Pieces of modules.
    pub chunk_store: ChunkStore,
    /// Open calls.
    pub contexts: CallContexts,
    /// Messages that wait.
    pub inputs: Inputs,
    /// Messages sent and not yet taken away.
    pub outputs: VecDeque<Output>,
    /// System tasks of this round.
    pub tasks: VecDeque<Task>,
    /// What comes first in the next round.
    pub next_kind: NextKind,
    /// A long execution under way.
    pub paused: Option<Box<Paused>>,
    /// Instructions of past installations not yet worked off.
    pub install_debit: u64,
    /// Bytes written lately and not yet worked off.
    pub heap_delta_debit_bytes: u64,
    /// Bytes written since the last checkpoint, at most.
    pub unflushed_bytes: u64,
    /// Number of the next snapshot.
    pub next_snapshot: u64,
    /// Bytes of all its snapshots.
    pub snapshots_bytes: u64,
    /// When it was created, nanoseconds since the epoch.
    pub created_at_ns: u64,
    /// When code was last put in place, nanoseconds since the epoch.
    pub last_install_ns: Option<u64>,
    /// When storage was last paid for, nanoseconds since the epoch.
    pub last_charge_ns: u64,
    /// Cycles spent so far, by purpose.
    pub consumed: Consumed,
}

/// Cycles spent, by purpose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Consumed {
    /// Memory.
    pub memory: u128,
    /// Compute allocation.
    pub compute: u128,
    /// Ingress messages.
    pub ingress: u128,
    /// Instructions.
    pub instructions: u128,
    /// Calls and answers.
    pub transmission: u128,
    /// Creation.
    pub creation: u128,
    /// `cycles_burn128`
    pub burned: u128,
}

impl Canister {
    /// A new, empty canister.
    pub fn new(id: Principal, settings: Settings, balance: u128, now_ns: u64) -> Self {
        Canister {
            id,
            settings,
            status: Status::Running,
            code: None,
            version: 0,
            balance,
            reserved_balance: 0,
            certified_data: Vec::new(),
            global_timer: None,
            hook: HookStatus::default(),
            history: History::default(),
            log: Log::default(),
            chunk_store: ChunkStore::default(),
            contexts: CallContexts::default(),
            inputs: Inputs::default(),
            outputs: VecDeque::new(),
            tasks: VecDeque::new(),
            next_kind: NextKind::default(),
            paused: None,
            install_debit: 0,
            heap_delta_debit_bytes: 0,
            unflushed_bytes: 0,
            next_snapshot: 0,
            snapshots_bytes: 0,
            created_at_ns: now_ns,
            last_install_ns: None,
            last_charge_ns: now_ns,
            consumed: Consumed::default(),
        }
    }

    /// Whether it takes calls.
    pub fn is_running(&self) -> bool {
        matches!(self.status, Status::Running)
    }

    /// Whether it waits for its open calls to end.
    pub fn is_stopping(&self) -> bool {
        matches!(self.status, Status::Stopping { .. })
    }

    /// Whether it is stopped.
    pub fn is_stopped(&self) -> bool {
        matches!(self.status, Status::Stopped)
    }

    /// Bytes of the heap.
    pub fn heap_bytes(&self) -> u64 {
        self.code.as_ref().map_or(0, |code| code.heap.size_bytes())
    }

    /// Bytes of stable memory.
    pub fn stable_bytes(&self) -> u64 {
        self.code
            .as_ref()
            .map_or(0, |code| code.stable.size_bytes())
    }

    /// Bytes of the globals, the instruction counter included.
    pub fn globals_bytes(&self) -> u64 {
        self.code
            .as_ref()
            .map_or(0, |code| (code.globals.len() as u64 + 1) * GLOBAL_BYTES)
    }

    /// Bytes of the module.
    pub fn module_bytes(&self) -> u64 {
        self.code
            .as_ref()
            .map_or(0, |code| code.module.bytes().len() as u64)
    }

    /// Bytes of the `icp:` custom sections, names included.
    pub fn custom_sections_bytes(&self) -> u64 {
        self.code.as_ref().map_or(0, |code| {
            code.module
                .custom_sections()
                .iter()
                .map(|(name, section)| (name.len() + section.content.len()) as u64)
                .sum()
        })
    }

    /// All memory it uses.
    pub fn memory_bytes(&self) -> u64 {
        self.heap_bytes()
            + self.stable_bytes()
            + self.globals_bytes()
            + self.module_bytes()
            + self.custom_sections_bytes()
            + self.history.size_bytes()
            + self.chunk_store.size_bytes()
            + self.snapshots_bytes
    }

    /// Memory that counts against the subnet: what is used or what is reserved.
    pub fn allocated_bytes(&self) -> u64 {
        self.memory_bytes()
            .max(self.settings.memory_allocation_bytes)
    }

    /// What a snapshot of it counts for.
    pub fn snapshot_size_bytes(&self) -> u64 {
        self.heap_bytes()
            + self.stable_bytes()
            + self.globals_bytes()
            + self.module_bytes()
            + self.chunk_store.size_bytes()
            + self.certified_data.len() as u64
    }

    /// The balance below which it is frozen.
    pub fn freezing_threshold(&self, prices: &Prices) -> u128 {
        prices.freezing_threshold(
            self.settings.freezing_threshold_seconds,
            self.allocated_bytes(),
            self.settings.compute_allocation_percent,
            self.reserved_balance,
        )
    }

    /// Cycles missing to spend `amount` and stay above the freezing threshold; 0 when affordable.
    pub fn missing_cycles(&self, amount: u128, prices: &Prices) -> u128 {
        (amount + self.freezing_threshold(prices)).saturating_sub(self.balance)
    }

    /// Adds a line to the history.
    pub fn add_change(&mut self, now_ns: u64, origin: ChangeOrigin, details: ChangeDetails) {
        self.history.push(now_ns, self.version, origin, details);
    }

    /// Whether free heap is below the threshold of the settings. As on the Internet Computer, a
    /// limit of 0, which bounds nothing, counts as no capacity here.
    pub fn is_low_on_memory(&self) -> bool {
        if self.code.is_none() {
            return false;
        }
        let used = self.heap_bytes();
        let limit = self.settings.wasm_memory_limit_bytes;
        let capacity = match self.settings.memory_allocation_bytes {
            0 => limit,
            allocation => limit.min(allocation.saturating_sub(self.memory_bytes() - used)),
        };
        capacity < used.saturating_add(self.settings.wasm_memory_threshold_bytes)
    }

    /// Follows the condition of the low memory hook.
    pub fn update_hook(&mut self) {
        let is_low = self.is_low_on_memory();
        self.hook.update(is_low);
    }

    /// Whether anything is left to do in a round.
    pub fn has_work(&self) -> bool {
        !self.tasks.is_empty() || self.hook == HookStatus::Ready || !self.inputs.is_empty()
    }

    /// Takes cycles for instructions that ran.
    pub fn charge_instructions(&mut self, cycles: u128) {
        self.balance = self.balance.saturating_sub(cycles);
        self.consumed.instructions += cycles;
    }

    /// Books memory that was written.
    pub fn add_heap_delta(&mut self, bytes: u64) {
        self.heap_delta_debit_bytes = self.heap_delta_debit_bytes.saturating_add(bytes);
        self.unflushed_bytes = self.unflushed_bytes.saturating_add(bytes);
    }
}
