//! `install_code` and `install_chunked_code`, in all modes.
//!
//! The stages of an installation run on the canister as if they were final; then the old state is
//! put back and the new one kept aside until the last slice of the execution, when it is put into
//! place or, on failure, dropped. Only the log of a failed installation stays.

use std::sync::Arc;

use engine::{Effects, Entry, ExecutionError, ExecutionState, HeapHandling, Limits, Module};
use ic_management_canister_types::{
    CanisterInstallMode, ChangeDetails, CodeDeploymentMode, CodeDeploymentRecord, InstallCodeArgs,
    UpgradeFlags, WasmMemoryPersistence,
};

use super::decode::{decode, empty};
use super::heap_fit::check_heap;
use super::method::MethodName;
use super::{Call, Handled, answer};
use crate::core::canister::{Canister, HookStatus};
use crate::core::effects::apply_effects;
use crate::core::environment::env_for;
use crate::core::errors::UserError;
use crate::core::execute::{Paused, check_heap_limit, slices};
use crate::core::history::History;
use crate::core::limits::{COMPILE_CACHE_DIVISOR, SLICE_INSTRUCTIONS};
use crate::core::log::Log;
use crate::core::management::chunked::assemble;
use crate::core::network::SubnetContext;
use crate::core::subnet::SubnetState;

/// Instructions a byte of a module that is refused costs: nobody counted its instructions.
const INSTRUCTIONS_PER_REFUSED_BYTE: u64 = 6_000;
/// Instructions of all stages on a benchmarking subnet.
const BENCHMARK_INSTRUCTIONS: u64 = 99_999_999_999_999;
const DELTA_PAGE_BYTES: u64 = 4096;

/// What is to be installed.
#[derive(Debug)]
pub struct Installation {
    /// How.
    pub mode: CanisterInstallMode,
    /// Where.
    pub canister: candid::Principal,
    /// The module.
    pub module: Result<Vec<u8>, UserError>,
    /// Instructions of putting it together from chunks: one a byte of whole chunks.
    pub assembly_instructions: u64,
    /// Argument of `canister_init` or `canister_post_upgrade`.
    pub arg: Vec<u8>,
    /// For the history.
    pub sender_canister_version: Option<u64>,
}

/// The parts of a canister that an installation replaces.
#[derive(Debug)]
struct Parts {
    code: Option<ExecutionState>,
    certified_data: Vec<u8>,
    global_timer: Option<u64>,
    version: u64,
    history: History,
    hook: HookStatus,
    balance: u128,
    burned: u128,
    delta_bytes: (u64, u64),
}

impl Parts {
    fn of(canister: &Canister) -> Self {
        Parts {
            code: canister.code.clone(),
            certified_data: canister.certified_data.clone(),
            global_timer: canister.global_timer,
            version: canister.version,
            history: canister.history.clone(),
            hook: canister.hook,
            balance: canister.balance,
            burned: canister.consumed.burned,
            delta_bytes: (canister.heap_delta_debit_bytes, canister.unflushed_bytes),
        }
    }

    fn put(self, canister: &mut Canister) {
        canister.code = self.code;
        canister.certified_data = self.certified_data;
        canister.global_timer = self.global_timer;
        canister.version = self.version;
        canister.history = self.history;
        canister.hook = self.hook;
        canister.balance = self.balance;
        canister.consumed.burned = self.burned;
        (canister.heap_delta_debit_bytes, canister.unflushed_bytes) = self.delta_bytes;
    }
}

/// An installation whose stages have run.
#[derive(Debug)]
pub struct PausedInstall {
    call: Call,
    canister: candid::Principal,
    result: Result<Parts, UserError>,
    log: Log,
    used: u64,
    limit: u64,
    prepaid: u128,
    is_wasm64: bool,
    compiled: Option<[u8; 32]>,
}

/// `install_code` or `install_chunked_code`
pub fn execute(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    call: &Call,
    method: MethodName,
) -> Handled {
    let installation = match method {
        MethodName::InstallChunkedCode => assemble(state, subnet, call),
        _ => decode::<InstallCodeArgs>(call.arg()).map(|args| Installation {
            mode: args.mode,
            canister: args.canister_id,
            module: Ok(args.wasm_module),
            assembly_instructions: 0,
            arg: args.arg,
            sender_canister_version: args.sender_canister_version,
        }),
    };
    match installation.and_then(|installation| start(state, subnet, call, installation)) {
        Ok(run) => {
            let count = slices(run.used);
            state.budget -= i64::try_from(run.used.min(SLICE_INSTRUCTIONS)).unwrap_or(i64::MAX);
            if count == 1 {
                finish(state, subnet, run);
            } else if let Some(canister) = state.canisters.get_mut(&run.canister) {
                canister.paused = Some(Box::new(Paused::Install(Box::new(run), count - 1)));
            }
            Handled::Waiting
        }
        Err(error) => Handled::Answer(Err(error), call.cycles()),
    }
}

fn start(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    call: &Call,
    installation: Installation,
) -> Result<PausedInstall, UserError> {
    let sender = call.sender();
    state.controlled(&installation.canister, &sender)?;
    let module_bytes = installation.module.as_ref().map_or(0, Vec::len) as u64;
    let loaded = installation
        .module
        .as_ref()
        .map(|bytes| subnet.engine.load_module(bytes));
    let is_wasm64 = matches!(&loaded, Ok(Ok(module)) if module.is_wasm64());
    let limit = if subnet.is_benchmarking {
        BENCHMARK_INSTRUCTIONS
    } else {
        Limits::INSTALL_INSTRUCTIONS
    };
    let compiled = &state.compiled;
    let compile_cost = match &loaded {
        Ok(Ok(module)) if compiled.contains(&module.hash()) => {
            module.compile_cost_instructions() / COMPILE_CACHE_DIVISOR
        }
        Ok(Ok(module)) => module.compile_cost_instructions(),
        _ => module_bytes * INSTRUCTIONS_PER_REFUSED_BYTE,
    };
    let canister = state.canister_mut(&installation.canister)?;
    let prepaid = subnet.prices.execution(limit, is_wasm64);
    let missing = canister.missing_cycles(prepaid, &subnet.prices);
    if missing > 0 {
        // Only controllers come this far: they are told how much is missing.
        return Err(UserError::install_out_of_cycles(canister.id, Some(missing)));
    }
    canister.balance -= prepaid;

    let before = Parts::of(canister);
    let old_log = canister.log.clone();
    let module = match loaded {
        Err(error) => Err(error.clone()),
        Ok(Err(refusal)) => Err(UserError::module(canister.id, &refusal)),
        Ok(Ok(module)) => Ok(module),
    };
    let allocated_before = canister.allocated_bytes();
    let mut stages = Stages {
        canister,
        subnet,
        call,
        limit,
        left: limit,
        compile_cost,
        allocated_before,
        is_wasm64,
    };
    let hash = module.as_ref().ok().map(|module| module.hash());
    let result = stages.run(&installation, module);
    let used = limit - stages.left;
    let result = result.map(|()| Parts::of(canister));
    let log = std::mem::replace(&mut canister.log, old_log);
    before.put(canister);
    Ok(PausedInstall {
        call: call.clone(),
        canister: canister.id,
        compiled: hash.filter(|_| result.is_ok()),
        result,
        log,
        used,
        limit,
        prepaid,
        is_wasm64,
    })
}

/// Puts a finished installation into place and answers.
pub fn finish(state: &mut SubnetState, subnet: &SubnetContext, run: PausedInstall) {
    let PausedInstall {
        call,
        canister,
        result,
        log,
        used,
        limit,
        prepaid,
        is_wasm64,
        compiled,
    } = run;
    let mut outcome = Ok(empty());
    if let Some(canister) = state.canisters.get_mut(&canister) {
        match result {
            Ok(parts) => {
                // Cycles that came in while the installation was under way stay.
                let burned = parts.burned - canister.consumed.burned;
                let balance = canister.balance.saturating_sub(burned);
                parts.put(canister);
                canister.balance = balance;
                canister.last_install_ns = Some(subnet.now_ns);
                canister.update_hook();
            }
            Err(error) => outcome = Err(error),
        }
        canister.log = log;
        canister.install_debit += used;
        let refund = subnet
            .prices
            .instructions(limit - used, is_wasm64)
            .min(prepaid);
        canister.balance += refund;
        canister.consumed.instructions += prepaid - refund;
    }
    state.compiled.extend(compiled);
    let refund = call.cycles();
    answer(state, subnet, &call, outcome, refund);
}

struct Stages<'a> {
    canister: &'a mut Canister,
    subnet: &'a SubnetContext,
    call: &'a Call,
    limit: u64,
    left: u64,
    compile_cost: u64,
    allocated_before: u64,
    is_wasm64: bool,
}

impl Stages<'_> {
    fn run(
        &mut self,
        installation: &Installation,
        module: Result<Arc<Module>, UserError>,
    ) -> Result<(), UserError> {
        let id = self.canister.id;
        let is_install = matches!(installation.mode, CanisterInstallMode::Install);
        if is_install && self.canister.code.is_some() {
            return Err(UserError::not_empty(id));
        }
        if self.canister.install_debit > 0 {
            return Err(UserError::install_rate_limited(id));
        }
        match installation.mode {
            CanisterInstallMode::Install | CanisterInstallMode::Reinstall => {
                self.assemble(installation);
                self.compile();
                let module = module?;
                self.canister.certified_data.clear();
                self.canister.log.clear();
                self.put(installation, ExecutionState::fresh(module));
                self.stage(Entry::Start)?;
                self.stage(Entry::Init {
                    arg: installation.arg.clone(),
                })?;
            }
            CanisterInstallMode::Upgrade(flags) => self.upgrade(installation, flags, module)?,
        }
        check_heap_limit(self.canister).map_err(|failure| UserError::execution(id, &failure))?;
        let allocation = self.canister.settings.memory_allocation_bytes;
        let used = self.canister.memory_bytes();
        if allocation != 0 && used > allocation {
            return Err(UserError::memory_allocation_too_small(allocation, used));
        }
        self.check_growth()
    }

    /// Whether the balance, what is left of the prepayment included, can carry more memory.
    fn check_growth(&self) -> Result<(), UserError> {
        let allocated = self.canister.allocated_bytes();
        let prices = &self.subnet.prices;
        let threshold = self.canister.freezing_threshold(prices);
        let balance = self.canister.balance + prices.instructions(self.left, self.is_wasm64);
        if allocated > self.allocated_before && balance < threshold {
            return Err(UserError::memory_growth_unaffordable(
                allocated - self.allocated_before,
                threshold - balance,
            ));
        }
        Ok(())
    }

    fn upgrade(
        &mut self,
        installation: &Installation,
        flags: Option<UpgradeFlags>,
        module: Result<Arc<Module>, UserError>,
    ) -> Result<(), UserError> {
        let flags = flags.unwrap_or_default();
        let Some(old) = &self.canister.code else {
            return Err(UserError::no_module(self.canister.id));
        };
        let old_has_marker = old.module.has_marker();
        if !flags.skip_pre_upgrade.unwrap_or(false) {
            self.stage(Entry::PreUpgrade)?;
        }
        self.assemble(installation);
        // What the options forbid is refused before the new module is paid for.
        let handling = match flags.wasm_memory_persistence {
            Some(WasmMemoryPersistence::Keep) => {
                if module.as_ref().is_ok_and(|module| !module.has_marker()) {
                    return Err(UserError::invalid_upgrade_option());
                }
                HeapHandling::Keep
            }
            Some(WasmMemoryPersistence::Replace) => HeapHandling::Replace,
            None if old_has_marker => return Err(UserError::missing_upgrade_option()),
            None => HeapHandling::Replace,
        };
        self.compile();
        let module = module?;
        let old = self
            .canister
            .code
            .as_ref()
            .expect("BUG: hooks leave the code in place");
        let new = old.with_module(module, handling);
        if handling == HeapHandling::Keep {
            check_heap(
                self.subnet,
                self.canister.id,
                new.heap.size_bytes(),
                &new.module,
            )?;
        }
        self.put(installation, new);
        self.stage(Entry::Start)?;
        self.stage(Entry::PostUpgrade {
            arg: installation.arg.clone(),
        })
    }

    /// Takes the cost of putting the module together.
    fn assemble(&mut self, installation: &Installation) {
        self.left = self.left.saturating_sub(installation.assembly_instructions);
    }

    /// Takes the cost of compilation, as far as there is any budget left.
    fn compile(&mut self) {
        self.left = self.left.saturating_sub(self.compile_cost);
    }

    /// Puts new code into place: timer off, version up, an entry in the history.
    fn put(&mut self, installation: &Installation, new: ExecutionState) {
        let module_hash = new.module.hash().to_vec();
        let fresh_bytes = new.heap.size_bytes();
        self.canister.code = Some(new);
        self.canister.global_timer = None;
        self.canister.version += 1;
        self.canister.unflushed_bytes += fresh_bytes;
        let mode = match installation.mode {
            CanisterInstallMode::Install => CodeDeploymentMode::Install,
            CanisterInstallMode::Reinstall => CodeDeploymentMode::Reinstall,
            CanisterInstallMode::Upgrade(_) => CodeDeploymentMode::Upgrade,
        };
        let details = ChangeDetails::CodeDeployment(CodeDeploymentRecord { mode, module_hash });
        let origin = self.call.origin(installation.sender_canister_version);
        self.canister
            .add_change(self.subnet.now_ns, origin, details);
    }

    /// Runs one hook.
    fn stage(&mut self, entry: Entry) -> Result<(), UserError> {
        let code = self
            .canister
            .code
            .as_ref()
            .expect("BUG: stages run on a canister with code");
        let is_exported = entry
            .method()
            .is_some_and(|method| code.module.exports(&method));
        if !is_exported {
            return Ok(());
        }
        let env = env_for(self.canister, self.subnet, self.call.sender());
        let limits = Limits {
            reported_instructions: self.limit,
            ..Limits::install(self.left)
        };
        let outcome = self.subnet.engine.execute(code, &entry, &env, &limits);
        self.left = self.left.saturating_sub(outcome.instructions_used);
        self.canister.log.append(outcome.logs, self.subnet.now_ns);
        match outcome.result {
            Ok(effects) => {
                self.commit(outcome.state, &effects);
                Ok(())
            }
            Err(failure) => Err(self.refused(&failure)),
        }
    }

    fn commit(&mut self, new: ExecutionState, effects: &Effects) {
        self.canister.code = Some(new);
        self.canister
            .add_heap_delta(effects.dirty_pages * DELTA_PAGE_BYTES);
        apply_effects(self.canister, self.subnet, None, effects);
    }

    fn refused(&self, failure: &ExecutionError) -> UserError {
        UserError::execution(self.canister.id, failure)
    }
}
