//! The replica's side: does the steps and looks at the canister, in process, without a server in between.

use crate::model::{Answer, Look, Memory};
use crate::steps::{Mode, Step};
use candid::{CandidType, Decode, Encode, Nat, Principal};
use ic_management_canister_types as types;
use pocket_ic::common::rest::{ExtendedSubnetConfigSet, SubnetSpec};
use replica::core::api::{CallError, EffectivePrincipal, ErrorCode, Ingress, IngressState, Query};
use replica::core::instance::{Instance, InstanceConfig};
use replica::core::keys::UnsignedAuthority;
use replica::core::rules::Rules;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Rounds an answer may take: every step is over in a few.
const ROUNDS_MAX: usize = 100;

/// How long messages are valid, nanoseconds.
const INGRESS_TTL_NS: u64 = 300_000_000_000;

/// Length of a signed message besides method and argument, bytes.
const ENVELOPE_BYTES: u64 = 157;

/// Heap: byte 0 is what was written, byte 1 tells the hook to trap.
const MODULE: &str = r#"(module
    (import "ic0" "msg_reply" (func $reply))
    (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
    (import "ic0" "msg_arg_data_size" (func $size (result i32)))
    (import "ic0" "msg_arg_data_copy" (func $arg (param i32 i32 i32)))
    (import "ic0" "certified_data_set" (func $certify (param i32 i32)))
    (import "ic0" "stable64_size" (func $stable_size (result i64)))
    (import "ic0" "stable64_grow" (func $stable_grow (param i64) (result i64)))
    (import "ic0" "stable64_write" (func $stable_write (param i64 i64 i64)))
    (import "ic0" "stable64_read" (func $stable_read (param i64 i64 i64)))
    (memory NUMBER)
    (global $number (mut i32) (i32.const NUMBER))
    (func $write
        (call $arg (i32.const 0) (i32.const 0) (i32.const 1))
        (call $stable_write (i64.const 0) (i64.const 0) (i64.const 1))
        (call $certify (i32.const 0) (i32.const 1)))
    (func $begin
        (if (call $size) (then unreachable))
        (if (i64.eqz (call $stable_size)) (then (drop (call $stable_grow (i64.const 1))))))
    (func (export "canister_init") (call $begin))
    (func (export "canister_post_upgrade") (call $begin))
    (func (export "canister_pre_upgrade")
        (if (i32.load8_u (i32.const 1)) (then unreachable)))
    (func (export "canister_update write") (call $write) (call $reply))
    (func (export "canister_update write_and_trap") (call $write) unreachable)
    (func (export "canister_update grow")
        (drop (memory.grow (i32.const 1)))
        (call $reply))
    (func (export "canister_update arm")
        (i32.store8 (i32.const 1) (i32.const 1))
        (call $reply))
    (func (export "canister_query scribble")
        (memory.fill (i32.const 0) (i32.const 255) (i32.const 65536))
        (drop (memory.grow (i32.const 3)))
        (call $stable_write (i64.const 0) (i64.const 0) (i64.const 65536))
        (global.set $number (i32.const 9))
        (call $reply))
    (func (export "canister_query read")
        (call $stable_read (i64.const 16) (i64.const 0) (i64.const 1))
        (i32.store8 (i32.const 17) (global.get $number))
        (i32.store8 (i32.const 18) (memory.size))
        (call $append (i32.const 0) (i32.const 1))
        (call $append (i32.const 16) (i32.const 3))
        (call $reply))
)"#;

const MARKER: &str = "icp:private enhanced-orthogonal-persistence";

/// A network and the canister that lives in it.
pub struct Subject {
    network: Instance,
    messages: u64,
    canister: Principal,
    snapshots: Vec<Vec<u8>>,
    modules: Vec<Known>,
}

/// A module that can be installed.
struct Known {
    key: (u8, bool),
    bytes: Vec<u8>,
    hash: [u8; 32],
}

impl Known {
    fn new(number: u8, is_marked: bool) -> Self {
        let mut bytes = wat::parse_str(MODULE.replace("NUMBER", &number.to_string())).unwrap();
        if is_marked {
            // A custom section: id, length of what follows, length of the name, the name, nothing.
            let len = u8::try_from(MARKER.len()).unwrap();
            bytes.extend([0, len + 1, len]);
            bytes.extend(MARKER.bytes());
        }
        Known {
            key: (number, is_marked),
            hash: Sha256::digest(&bytes).into(),
            bytes,
        }
    }
}

impl Subject {
    /// A network without the canister yet.
    pub fn new() -> Self {
        let config = InstanceConfig {
            subnets: ExtendedSubnetConfigSet {
                application: vec![SubnetSpec::default()],
                ..Default::default()
            },
            initial_time_ns: None,
            seed: 7,
            cache_dir: None,
            rules: Rules::AUGUST_2026,
        };
        Subject {
            network: Instance::new(&config, Arc::new(UnsignedAuthority)).unwrap(),
            messages: 0,
            canister: Principal::management_canister(),
            snapshots: Vec::new(),
            modules: [(1, false), (1, true), (2, false), (2, true)]
                .map(|(number, is_marked)| Known::new(number, is_marked))
                .into(),
        }
    }

    /// Creates the canister.
    pub fn be_born(&mut self) {
        let args = types::ProvisionalCreateCanisterWithCyclesArgs {
            amount: Some(Nat::from(1_000_000_000_000_000u64)),
            ..Default::default()
        };
        let reply = self.update(
            Principal::management_canister(),
            EffectivePrincipal::None,
            "provisional_create_canister_with_cycles",
            Encode!(&args).unwrap(),
        );
        self.canister = Decode!(&reply.unwrap(), types::CanisterIdRecord)
            .unwrap()
            .canister_id;
        self.snapshots.clear();
    }

    /// Deletes the canister; the snapshots listed at the end are those that were taken and not deleted.
    pub fn die(&mut self) {
        let reply = self
            .manage("list_canister_snapshots", &self.record())
            .unwrap();
        let listed: Vec<Vec<u8>> = Decode!(&reply, Vec<types::Snapshot>)
            .unwrap()
            .into_iter()
            .map(|snapshot| snapshot.id)
            .collect();
        assert_eq!(listed, self.snapshots);
        for method in ["stop_canister", "delete_canister"] {
            self.manage(method, &self.record()).unwrap();
        }
        assert!(!self.network.canister_exists(&self.canister));
    }

    /// Does a step.
    pub fn step(&mut self, step: &Step) -> Answer {
        let canister_id = self.canister;
        match step {
            Step::Install(install) => {
                let key = (install.code, install.is_marked);
                let module = self.modules.iter().find(|known| known.key == key).unwrap();
                let args = types::InstallCodeArgs {
                    mode: mode_of(install.mode),
                    canister_id,
                    wasm_module: module.bytes.clone(),
                    arg: vec![1; usize::from(install.traps)],
                    sender_canister_version: None,
                };
                self.manage("install_code", &args)
            }
            Step::Write(byte) => self.call("write", vec![*byte]),
            Step::WriteAndTrap(byte) => self.call("write_and_trap", vec![*byte]),
            Step::Grow => self.call("grow", Vec::new()),
            Step::Arm => self.call("arm", Vec::new()),
            Step::Scribble => self.call("scribble", Vec::new()),
            Step::ScribbleInQuery => self.query(canister_id, "scribble", Vec::new()),
            Step::Stop => self.manage("stop_canister", &self.record()),
            Step::Start => self.manage("start_canister", &self.record()),
            Step::Uninstall => self.manage("uninstall_code", &self.record()),
            Step::Take => {
                let args = types::TakeCanisterSnapshotArgs {
                    canister_id,
                    replace_snapshot: None,
                    uninstall_code: None,
                    sender_canister_version: None,
                };
                let taken = self.manage("take_canister_snapshot", &args);
                if let Ok(reply) = &taken {
                    self.snapshots
                        .push(Decode!(reply, types::Snapshot).unwrap().id);
                }
                taken
            }
            Step::Load(number) => {
                let args = types::LoadCanisterSnapshotArgs {
                    canister_id,
                    snapshot_id: self.snapshot(*number),
                    sender_canister_version: None,
                };
                self.manage("load_canister_snapshot", &args)
            }
            Step::Delete(number) => {
                let args = types::DeleteCanisterSnapshotArgs {
                    canister_id,
                    snapshot_id: self.snapshot(*number),
                };
                let deleted = self.manage("delete_canister_snapshot", &args);
                if deleted.is_ok() {
                    self.snapshots.remove(*number);
                }
                deleted
            }
        }
        .map(drop)
    }

    /// Looks at the canister.
    pub fn look(&mut self) -> Look {
        let arg = Encode!(&self.record()).unwrap();
        let management = Principal::management_canister();
        let reply = self.query(management, "canister_status", arg).unwrap();
        let status = Decode!(&reply, types::CanisterStatusResult).unwrap();
        let view = self.network.canister(&self.canister).unwrap();
        let code = view.module_hash.map(|hash| {
            let known = self.modules.iter().find(|known| known.hash == hash);
            known.unwrap().key
        });
        assert_eq!(status.module_hash, view.module_hash.map(Vec::from));
        let memory = self.query(self.canister, "read", Vec::new()).ok();
        Look {
            is_running: status.status == types::CanisterStatusType::Running,
            version: status.version,
            code,
            certified: view.certified_data,
            memory: memory.map(|reply| match reply.as_slice() {
                &[heap, stable, global, heap_pages] => Memory {
                    heap,
                    stable,
                    global,
                    heap_pages,
                },
                other => panic!("{} bytes of memory", other.len()),
            }),
            snapshots: self.snapshots.len(),
        }
    }

    fn record(&self) -> types::CanisterIdRecord {
        types::CanisterIdRecord {
            canister_id: self.canister,
        }
    }

    /// The n-th snapshot, or an id that none has.
    fn snapshot(&self, number: usize) -> Vec<u8> {
        let missing = || [&u64::MAX.to_be_bytes(), self.canister.as_slice()].concat();
        self.snapshots.get(number).cloned().unwrap_or_else(missing)
    }

    fn manage(&mut self, method: &str, args: &impl CandidType) -> Result<Vec<u8>, ErrorCode> {
        self.update(
            Principal::management_canister(),
            EffectivePrincipal::Canister(self.canister),
            method,
            Encode!(args).unwrap(),
        )
    }

    fn call(&mut self, method: &str, arg: Vec<u8>) -> Result<Vec<u8>, ErrorCode> {
        self.update(self.canister, EffectivePrincipal::None, method, arg)
    }

    fn update(
        &mut self,
        receiver: Principal,
        effective: EffectivePrincipal,
        method: &str,
        arg: Vec<u8>,
    ) -> Result<Vec<u8>, ErrorCode> {
        self.messages += 1;
        let mut message_id = [0; 32];
        message_id[..8].copy_from_slice(&self.messages.to_be_bytes());
        let ingress = Ingress {
            sender: Principal::anonymous(),
            receiver,
            method: method.to_owned(),
            effective,
            message_id,
            signed_len_bytes: ENVELOPE_BYTES + (method.len() + arg.len()) as u64,
            arg,
            expiry_ns: self.network.time_ns() + INGRESS_TTL_NS,
        };
        self.network.submit_ingress(ingress).map_err(code_of)?;
        for _ in 0..ROUNDS_MAX {
            match &self.network.ingress_status(&message_id).unwrap().state {
                IngressState::Replied(bytes) => return Ok(bytes.clone()),
                IngressState::Rejected(reject) => return Err(reject.error_code),
                IngressState::Received | IngressState::Processing => self.network.round(),
            }
        }
        panic!("{method}: no answer after {ROUNDS_MAX} rounds");
    }

    fn query(&self, receiver: Principal, method: &str, arg: Vec<u8>) -> Result<Vec<u8>, ErrorCode> {
        self.network
            .query(&Query {
                sender: Principal::anonymous(),
                receiver,
                method: method.to_owned(),
                arg,
                effective: EffectivePrincipal::Canister(self.canister),
            })
            .map_err(code_of)
    }
}

fn mode_of(mode: Mode) -> types::CanisterInstallMode {
    match mode {
        Mode::Install => types::CanisterInstallMode::Install,
        Mode::Reinstall => types::CanisterInstallMode::Reinstall,
        Mode::Upgrade { skip, keep } => {
            types::CanisterInstallMode::Upgrade(Some(types::UpgradeFlags {
                skip_pre_upgrade: Some(skip),
                wasm_memory_persistence: keep.map(|keep| match keep {
                    true => types::WasmMemoryPersistence::Keep,
                    false => types::WasmMemoryPersistence::Replace,
                }),
            }))
        }
    }
}

fn code_of(error: CallError) -> ErrorCode {
    match error {
        CallError::Rejected(reject) => reject.error_code,
        CallError::BadRequest(text) => panic!("{text}"),
    }
}
