//! The operations of tests, except those about snapshots.

use super::outcome::{Outcome, render, render_bytes, render_reject};
use super::{Lab, Module};
use candid::{CandidType, Decode, Encode, Nat, Principal};
use ic_management_canister_types as types;
use pocket_ic::common::rest::{RawEffectivePrincipal, RawMessageId};
use pocket_ic::{CanisterStatusResult, RejectResponse};

/// The options of an upgrade: `None` is `upgrade = null`.
pub type Upgrade = Option<(Option<bool>, Option<types::WasmMemoryPersistence>)>;

/// `upgrade = null`.
pub const PLAIN: Upgrade = None;
/// The old hook is not run.
pub const SKIP: Upgrade = Some((Some(true), None));
/// The old hook is not run, the heap stays.
pub const KEEP_SKIP: Upgrade = Some((Some(true), Some(types::WasmMemoryPersistence::Keep)));
/// The old hook is not run, the heap is replaced.
pub const REPLACE_SKIP: Upgrade = Some((Some(true), Some(types::WasmMemoryPersistence::Replace)));

/// Cycles of a lab's canisters.
const CYCLES: u128 = 1_000_000_000_000_000;
/// Rounds an answer may take: the longest installation has 150 slices.
const ROUNDS_MAX: usize = 2_000;

fn shown_upgrade(upgrade: &Upgrade) -> String {
    match upgrade {
        None => "plain".to_owned(),
        Some((skip, persistence)) => {
            let mut parts = Vec::new();
            if let Some(skip) = skip {
                parts.push(format!("skip_pre_upgrade={skip}"));
            }
            match persistence {
                Some(types::WasmMemoryPersistence::Keep) => parts.push("keep".to_owned()),
                Some(types::WasmMemoryPersistence::Replace) => parts.push("replace".to_owned()),
                None => {}
            }
            parts.join(" ")
        }
    }
}

impl Lab {
    /// A canister of the anonymous principal on the first subnet.
    pub fn create(&self, name: &str) -> Principal {
        self.create_with(name, 0, CYCLES)
    }

    /// A canister on the subnet of this number with so many cycles.
    pub fn create_with(&self, name: &str, subnet: usize, cycles: u128) -> Principal {
        let subnet_id = self.subnets[subnet];
        let arg = Encode!(&types::ProvisionalCreateCanisterWithCyclesArgs {
            amount: Some(Nat::from(cycles)),
            settings: None,
            specified_id: None,
            sender_canister_version: None,
        })
        .unwrap();
        let reply = self
            .pic
            .update_call_with_effective_principal(
                Principal::management_canister(),
                RawEffectivePrincipal::SubnetId(subnet_id.as_slice().to_vec()),
                Principal::anonymous(),
                "provisional_create_canister_with_cycles",
                arg,
            )
            .unwrap();
        let canister = Decode!(&reply, types::CanisterIdRecord)
            .unwrap()
            .canister_id;
        let mut transcript = self.transcript.borrow_mut();
        transcript.name(canister.to_text(), format!("<{name}>"));
        transcript.add(&format!("create <{name}> on subnet {subnet}"), "ok");
        canister
    }

    /// Creates a canister and installs a module with this argument.
    #[track_caller]
    pub fn installed(&self, name: &str, module: &Module, arg: &[u8]) -> Principal {
        let canister = self.create(name);
        self.install(canister, module, arg).unwrap();
        canister
    }

    /// A management call about a canister: submitted, then waited for however many rounds it takes.
    pub fn manage<In: CandidType>(&self, canister: Principal, method: &str, arg: &In) -> Outcome {
        self.manage_as(Principal::anonymous(), canister, method, arg)
    }

    /// A management call by somebody else.
    pub fn manage_as<In: CandidType>(
        &self,
        sender: Principal,
        canister: Principal,
        method: &str,
        arg: &In,
    ) -> Outcome {
        let message = self.submit_management(sender, canister, method, arg)?;
        self.wait(message)
    }

    /// A management call that is not waited for.
    pub fn submit_management<In: CandidType>(
        &self,
        sender: Principal,
        canister: Principal,
        method: &str,
        arg: &In,
    ) -> Result<RawMessageId, RejectResponse> {
        self.pic.submit_call_with_effective_principal(
            Principal::management_canister(),
            RawEffectivePrincipal::CanisterId(canister.as_slice().to_vec()),
            sender,
            method,
            Encode!(arg).unwrap(),
        )
    }

    /// The answer to a message, not noted, after however many rounds: one request would wait for a hundred at most.
    pub fn wait(&self, message: RawMessageId) -> Outcome {
        for _ in 0..ROUNDS_MAX {
            if let Some(answer) = self.pic.ingress_status(message.clone()) {
                return answer;
            }
            self.pic.tick();
        }
        panic!("no answer after {ROUNDS_MAX} rounds");
    }

    /// A management call about a canister alone, noted as `method canister`.
    pub fn simple(&self, canister: Principal, method: &str) -> Outcome {
        let arg = types::CanisterIdRecord {
            canister_id: canister,
        };
        let outcome = self.manage(canister, method, &arg);
        self.note(
            format!("{method} {}", self.shown(canister)),
            &shown_done(&outcome),
        );
        outcome
    }

    /// `install_code` into an empty canister.
    pub fn install(&self, canister: Principal, module: &Module, arg: &[u8]) -> Outcome {
        self.install_code(canister, types::CanisterInstallMode::Install, module, arg)
    }

    /// `install_code` in mode upgrade, without an argument.
    pub fn upgrade(&self, canister: Principal, module: &Module, upgrade: Upgrade) -> Outcome {
        let flags =
            upgrade.map(
                |(skip_pre_upgrade, wasm_memory_persistence)| types::UpgradeFlags {
                    skip_pre_upgrade,
                    wasm_memory_persistence,
                },
            );
        let mode = types::CanisterInstallMode::Upgrade(flags);
        self.install_code(canister, mode, module, b"")
    }

    /// `install_code`.
    pub fn install_code(
        &self,
        canister: Principal,
        mode: types::CanisterInstallMode,
        module: &Module,
        arg: &[u8],
    ) -> Outcome {
        let outcome = self.manage(
            canister,
            "install_code",
            &install_args(canister, mode, module, arg),
        );
        let verb = match mode {
            types::CanisterInstallMode::Install => "install".to_owned(),
            types::CanisterInstallMode::Reinstall => "reinstall".to_owned(),
            types::CanisterInstallMode::Upgrade(flags) => {
                let options = flags.map(|f| (f.skip_pre_upgrade, f.wasm_memory_persistence));
                format!("upgrade ({})", shown_upgrade(&options))
            }
        };
        let operation = format!("{verb} {} to {}", self.shown(canister), module.name);
        self.note(operation, &shown_done(&outcome));
        outcome
    }

    /// An update call.
    pub fn update(&self, canister: Principal, method: &str, arg: &[u8]) -> Outcome {
        let outcome = self
            .pic
            .submit_call(canister, Principal::anonymous(), method, arg.to_vec())
            .and_then(|message| self.wait(message));
        self.note_call("update", canister, method, arg, &outcome);
        outcome
    }

    /// Submits an update call and makes no round.
    pub fn submit(&self, canister: Principal, method: &str, arg: &[u8]) -> RawMessageId {
        let message = self
            .pic
            .submit_call(canister, Principal::anonymous(), method, arg.to_vec())
            .unwrap();
        self.note(
            format!("submit {} {method}", self.shown(canister)),
            "submitted",
        );
        message
    }

    /// The answer to a submitted call, noted under `what`.
    pub fn answer(&self, what: &str, message: RawMessageId) -> Outcome {
        let outcome = self.wait(message);
        self.note(format!("answer to {what}"), &render(&outcome));
        outcome
    }

    /// A plain query.
    pub fn query(&self, canister: Principal, method: &str, arg: &[u8]) -> Outcome {
        let outcome = self
            .pic
            .query_call(canister, Principal::anonymous(), method, arg.to_vec());
        self.note_call("query", canister, method, arg, &outcome);
        outcome
    }

    fn note_call(
        &self,
        kind: &str,
        canister: Principal,
        method: &str,
        arg: &[u8],
        outcome: &Outcome,
    ) {
        let arg = match arg.len() {
            0 => String::new(),
            len if len <= 16 => format!(" {}", hex::encode(arg)),
            len => format!(" ({len} bytes)"),
        };
        let operation = format!("{kind} {} {method}{arg}", self.shown(canister));
        self.note(operation, &render(outcome));
    }

    /// `canister_status`, with what tests look at in the transcript.
    pub fn status(&self, canister: Principal) -> CanisterStatusResult {
        let status = self.pic.canister_status(canister, None).unwrap();
        let hash = status.module_hash.as_deref().map(|h| hex::encode(&h[..8]));
        self.note(
            format!("status {}", self.shown(canister)),
            &format!(
                "{:?} version {} module {} heap {} stable {}",
                status.status,
                status.version,
                hash.as_deref().unwrap_or("none"),
                status.memory_metrics.wasm_memory_size,
                status.memory_metrics.stable_memory_size,
            ),
        );
        status
    }

    /// `update_settings` of what `change` sets.
    pub fn set(
        &self,
        canister: Principal,
        shown: &str,
        change: impl FnOnce(&mut types::CanisterSettings),
    ) -> Outcome {
        let mut settings = types::CanisterSettings::default();
        change(&mut settings);
        let arg = types::UpdateSettingsArgs {
            canister_id: canister,
            settings,
            sender_canister_version: None,
        };
        let outcome = self.manage(canister, "update_settings", &arg);
        self.note(
            format!("set {shown} of {}", self.shown(canister)),
            &shown_done(&outcome),
        );
        outcome
    }

    /// The canister's stable memory, with its hash in the transcript.
    pub fn stable_memory(&self, canister: Principal) -> Vec<u8> {
        let bytes = self.pic.get_stable_memory(canister);
        self.note(
            format!("stable memory of {}", self.shown(canister)),
            &render_bytes(&bytes),
        );
        bytes
    }

    /// The canister's log, as texts.
    pub fn logs(&self, canister: Principal) -> Vec<String> {
        let records = self
            .pic
            .fetch_canister_logs(canister, Principal::anonymous())
            .unwrap();
        let texts: Vec<String> = records
            .into_iter()
            .map(|record| String::from_utf8_lossy(&record.content).into_owned())
            .collect();
        self.note(
            format!("logs of {}", self.shown(canister)),
            &format!("{texts:?}"),
        );
        texts
    }

    /// Rounds without a message.
    pub fn tick(&self, rounds: usize) {
        for _ in 0..rounds {
            self.pic.tick();
        }
        self.note(format!("tick {rounds}"), "ok");
    }

    /// The cycles that leave the canister while `spend` runs, noted as `what`.
    pub fn cycles_spent(&self, canister: Principal, what: &str, spend: impl FnOnce()) -> u128 {
        let before = self.pic.cycle_balance(canister);
        spend();
        let spent = before - self.pic.cycle_balance(canister);
        self.note(format!("cycles of {what}"), &spent.to_string());
        spent
    }

    /// Notes a figure that was measured.
    pub fn measured(&self, what: &str, figure: impl std::fmt::Display) {
        self.note(format!("measured {what}"), &figure.to_string());
    }
}

/// The arguments of `install_code`.
pub fn install_args(
    canister: Principal,
    mode: types::CanisterInstallMode,
    module: &Module,
    arg: &[u8],
) -> types::InstallCodeArgs {
    types::InstallCodeArgs {
        mode,
        canister_id: canister,
        wasm_module: module.bytes.clone(),
        arg: arg.to_vec(),
        sender_canister_version: None,
    }
}

/// The outcome of an operation whose reply says nothing.
pub fn shown_done(outcome: &Outcome) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(reject) => render_reject(reject),
    }
}
