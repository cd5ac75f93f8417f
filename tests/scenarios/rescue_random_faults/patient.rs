//! A patient of one run: what happens to it, and what of it is remembered to compare it with later.

use super::super::rescue_faults::hospital::{BEYOND_LEASES, Hospital, decode};
use super::super::rescue_faults::rows::Request;
use super::script::{Act, Action, Fault, Script, Step};
use super::tally::Tally;
use super::truth::HASHES;
use candid::utils::{ArgumentDecoder, ArgumentEncoder};
use candid::{CandidType, Principal, Reserved};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings, DeleteCanisterSnapshotArgs,
    InstallCodeArgs, LoadCanisterSnapshotArgs, ReadCanisterSnapshotDataArgs,
    ReadCanisterSnapshotDataResult, ReadCanisterSnapshotMetadataArgs,
    ReadCanisterSnapshotMetadataResult, Snapshot, SnapshotDataKind, TakeCanisterSnapshotArgs,
    UpdateSettingsArgs, UpgradeFlags, WasmMemoryPersistence,
};
use pocket_ic::RejectResponse;
use pocket_ic::common::rest::RawMessageId;
use rescue_api::{Answer, CaseId, CaseView, Held, OpenCaseArgs, Phase, Refusal, Run, methods};
use serde_bytes::{ByteBuf, Bytes};
use std::time::Duration;
use tests::living::{self, Memories};
use tests::{sha256, tiny};
use wire::methods::{HEAP_WRITE, STABLE_WRITE};

/// Callbacks trap in every other minute.
const MINUTE: Duration = Duration::from_secs(60);
/// Attempts to accept what others have done.
const ACCEPTS_MAX: usize = 8;
/// Rounds within which rescue can be upgraded again.
const ROUNDS_MAX: usize = 120;

/// What a snapshot holds.
pub struct Saved {
    /// The snapshot's id.
    pub id: Vec<u8>,
    /// Hash of its module.
    pub module_hash: Vec<u8>,
    /// Its memories.
    pub memories: Memories,
}

/// The patient, its case, and what is known of both.
pub struct Patient<'a> {
    pub hospital: &'a Hospital,
    pub tally: &'a Tally,
    pub id: Principal,
    pub case: CaseId,
    /// The run and the place in it, for reports.
    pub at: String,
    /// Calls that are counted in stable memory.
    pub calls: u64,
    /// The same when the patient was last seen with a module of its own.
    pub calls_of_own: u64,
    /// Someone else has replaced the module or the memories: only snapshots tell what to compare with.
    pub is_meddled_with: bool,
    /// Rescue does not know of the latest change yet.
    pub is_touched: bool,
    /// A rollback was asked for, so that the counter may go back.
    pub may_go_back: bool,
    /// The operator said that data may be lost: an installation without attestation was asked for.
    pub is_unattested: bool,
    /// The operator said that the patient may be left as it is: such a closing was asked for.
    pub is_left_as_is: bool,
    /// The snapshot on record was deleted before the patient's own module was replaced.
    pub is_way_back_gone: bool,
    /// The snapshot on record.
    pub saved: Option<Saved>,
}

impl<'a> Patient<'a> {
    /// Installs a patient, lets it live, and opens its case.
    pub fn admit(hospital: &'a Hospital, tally: &'a Tally, script: &Script, seed: u64) -> Self {
        let id = tiny::install(
            &hospital.world,
            living::patient(),
            &[hospital.rescue.canister],
        );
        for _ in 0..script.calls {
            let live =
                hospital
                    .world
                    .pic
                    .update_call(id, hospital.operator(), living::LIVE, Vec::new());
            live.unwrap();
        }
        let args = OpenCaseArgs {
            patient: id,
            final_module_hash: Some(ByteBuf::from(sha256(&living::cured()))),
            snapshot: script.policy.clone(),
            plan: script.plan,
        };
        hospital.expect(&Request {
            method: methods::OPEN_CASE,
            args: candid::encode_one(args).unwrap(),
        });
        let case = hospital.case_of(id).expect("the case was opened");
        Self {
            hospital,
            tally,
            id,
            case,
            at: format!("seed {seed}"),
            calls: script.calls,
            calls_of_own: script.calls,
            is_meddled_with: false,
            is_touched: false,
            may_go_back: false,
            is_unattested: false,
            is_left_as_is: false,
            is_way_back_gone: false,
            saved: None,
        }
    }

    /// The case as it stands.
    pub fn view(&self) -> CaseView {
        self.hospital.view(self.case)
    }

    /// The hash of the module that is really there.
    pub fn module_hash(&self) -> Option<Vec<u8>> {
        self.hospital.world.module_hash(self.id)
    }

    /// Asks rescue for a step, undisturbed.
    pub fn ask(&mut self, step: Step) -> Result<Answer<Reserved>, RejectResponse> {
        self.note_consent(step);
        self.hospital.ask(&step.request(self.case))
    }

    /// What the operator agrees to by asking for a step.
    const fn note_consent(&mut self, step: Step) {
        match step {
            Step::Rollback { .. } => self.may_go_back = true,
            Step::Install {
                although_unattested: true,
                ..
            } => self.is_unattested = true,
            Step::Close {
                leave_as_is: true, ..
            } => self.is_left_as_is = true,
            _ => {}
        }
    }

    /// Lets an action happen.
    pub fn undergo(&mut self, action: Action) {
        match action {
            Action::Step(step, fault) => self.undergo_step(step, fault),
            Action::Act(act) => {
                let sent = self.submit(act);
                let is_own = self.module_hash().as_ref() == Some(&HASHES.own);
                let is_done = self.finish_act(act, sent);
                self.is_way_back_gone |= is_done && is_own && act == Act::DeleteSnapshot;
            }
            Action::Accept => {
                if matches!(self.view().phase, Phase::Foreign { .. }) {
                    self.accept();
                }
            }
            Action::Wait(pairs) => self.hospital.pass(MINUTE * 2 * pairs as u32),
            Action::Restore => self.restore(),
        }
    }

    fn undergo_step(&mut self, step: Step, fault: Fault) {
        self.note_consent(step);
        let hospital = self.hospital;
        let message = hospital.send(&step.request(self.case));
        match fault {
            Fault::Nothing | Fault::ReplyLost => {}
            Fault::CallbacksTrap(rounds) => {
                self.pass_rounds(&message, rounds);
                hospital.pass(MINUTE);
                if hospital.finish(&message).is_err() {
                    self.tally.count("callback trapped");
                }
                hospital.pass(MINUTE);
                return;
            }
            Fault::PatientFrozen(rounds) => self.finish_frozen(&message, rounds, self.id),
            Fault::RescueFrozen(rounds) => {
                self.finish_frozen(&message, rounds, hospital.rescue.canister);
            }
            Fault::Late(rounds) => {
                self.pass_rounds(&message, rounds);
                hospital.pass(MINUTE * 2);
            }
            Fault::RescueUpgraded(rounds) => {
                self.pass_rounds(&message, rounds);
                self.tally.count(match hospital.upgrade_rescue() {
                    Ok(()) => "rescue upgraded in between",
                    Err(_) => "rescue refused its upgrade",
                });
            }
            Fault::RescueRestarted(rounds) => {
                self.pass_rounds(&message, rounds);
                self.restart_rescue();
                self.tally.count("rescue restarted");
            }
            Fault::Act(rounds, act) => {
                self.pass_rounds(&message, rounds);
                let sent = self.submit(act);
                let _ = hospital.finish(&message);
                self.finish_act(act, sent);
            }
        }
        let unheard = matches!(fault, Fault::ReplyLost);
        let again = unheard.then(|| hospital.send(&step.request(self.case)));
        let is_done = self.is_done(&message);
        self.tally.count(match (fault, is_done) {
            (_, true) => "step done",
            (Fault::PatientFrozen(_), false) => "patient was frozen: refused",
            (Fault::RescueFrozen(_), false) => "rescue was frozen: refused",
            (Fault::Late(_), false) => "time passed: refused",
            (_, false) => "step refused",
        });
        if let Some(again) = again {
            self.tally.count(match self.is_done(&again) {
                true => "reply lost: the same step again is done",
                false => "reply lost: the same step again is refused",
            });
            let _ = self.ask(step);
        }
    }

    /// Waits for an answer; whether it is that the step is done.
    fn is_done(&self, message: &RawMessageId) -> bool {
        let reply = self.hospital.finish(message);
        reply.is_ok_and(|reply| decode(&reply).is_ok())
    }

    fn pass_rounds(&self, message: &RawMessageId, rounds: usize) {
        for _ in 0..rounds {
            if self.hospital.is_answered(message) {
                return;
            }
            self.hospital.world.pic.tick();
        }
    }

    fn finish_frozen(&self, message: &RawMessageId, rounds: usize, canister: Principal) {
        self.pass_rounds(message, rounds);
        self.hospital.freeze(canister);
        let _ = self.hospital.finish(message);
        self.hospital.thaw(canister);
    }

    /// `stop_canister` waits for the answers that rescue waits for.
    fn restart_rescue(&self) {
        let (hospital, rescue) = (self.hospital, self.hospital.rescue.canister);
        let pic = &hospital.world.pic;
        pic.stop_canister(rescue, Some(hospital.operator()))
            .unwrap_or_else(|error| panic!("{}: rescue does not stop: {error:?}", self.at));
        let mut upgraded = hospital.upgrade_rescue();
        for _ in 0..ROUNDS_MAX {
            if upgraded.is_ok() {
                break;
            }
            // It was installed so recently that the subnet lets it wait.
            pic.tick();
            upgraded = hospital.upgrade_rescue();
        }
        upgraded.unwrap_or_else(|error| panic!("{}: no upgrade when stopped: {error:?}", self.at));
        pic.start_canister(rescue, Some(hospital.operator()))
            .unwrap();
    }

    /// Sends what someone else does and lets no round pass; none if there is nothing to do it to.
    fn submit(&self, act: Act) -> Option<RawMessageId> {
        let canister_id = self.id;
        let record = CanisterIdRecord { canister_id };
        let snapshot = || {
            let on_record = self.view().snapshot?;
            (!on_record.deleted).then(|| on_record.id.into_vec())
        };
        match act {
            Act::Live => {
                let pic = &self.hospital.world.pic;
                let operator = self.hospital.operator();
                let sent = pic.submit_call(canister_id, operator, living::LIVE, Vec::new());
                sent.ok()
            }
            Act::Upgrade => {
                let flags = UpgradeFlags {
                    skip_pre_upgrade: Some(true),
                    wasm_memory_persistence: Some(WasmMemoryPersistence::Replace),
                };
                self.submit_install(CanisterInstallMode::Upgrade(Some(flags)))
            }
            Act::Reinstall => self.submit_install(CanisterInstallMode::Reinstall),
            Act::Uninstall => self.submit_management("uninstall_code", record),
            Act::AddController => {
                let rescue = self.hospital.rescue.canister;
                let stranger = self.hospital.world.stranger.principal;
                self.submit_controllers(&[self.hospital.operator(), rescue, stranger])
            }
            Act::RemoveRescue => self.submit_controllers(&[self.hospital.operator()]),
            Act::Stop => self.submit_management("stop_canister", record),
            Act::Start => self.submit_management("start_canister", record),
            Act::TakeSnapshot => {
                let args = TakeCanisterSnapshotArgs {
                    canister_id,
                    replace_snapshot: None,
                    uninstall_code: None,
                    sender_canister_version: None,
                };
                self.submit_management("take_canister_snapshot", args)
            }
            Act::LoadSnapshot => {
                let args = LoadCanisterSnapshotArgs {
                    canister_id,
                    snapshot_id: snapshot()?,
                    sender_canister_version: None,
                };
                self.submit_management("load_canister_snapshot", args)
            }
            Act::DeleteSnapshot => {
                let args = DeleteCanisterSnapshotArgs {
                    canister_id,
                    snapshot_id: snapshot()?,
                };
                self.submit_management("delete_canister_snapshot", args)
            }
        }
    }

    fn submit_install(&self, mode: CanisterInstallMode) -> Option<RawMessageId> {
        let args = InstallCodeArgs {
            mode,
            canister_id: self.id,
            wasm_module: living::strange(),
            arg: Vec::new(),
            sender_canister_version: None,
        };
        self.submit_management("install_code", args)
    }

    fn submit_controllers(&self, controllers: &[Principal]) -> Option<RawMessageId> {
        let args = UpdateSettingsArgs {
            canister_id: self.id,
            settings: CanisterSettings {
                controllers: Some(controllers.to_vec()),
                ..CanisterSettings::default()
            },
            sender_canister_version: None,
        };
        self.submit_management("update_settings", args)
    }

    fn submit_management(&self, method: &str, args: impl CandidType) -> Option<RawMessageId> {
        let args = candid::encode_one(args).unwrap();
        Some(self.hospital.send_to_management(self.id, method, args))
    }

    /// Waits for what someone else does and notes what it has changed; false if nothing.
    fn finish_act(&mut self, act: Act, sent: Option<RawMessageId>) -> bool {
        let Some(message) = sent else { return false };
        if self.hospital.finish(&message).is_err() {
            return false;
        }
        self.is_touched = true;
        self.tally.count("someone else acted");
        match act {
            Act::Live => self.calls += 1,
            Act::Upgrade | Act::Reinstall | Act::Uninstall | Act::LoadSnapshot => {
                self.is_meddled_with = true;
            }
            Act::AddController
            | Act::RemoveRescue
            | Act::Stop
            | Act::Start
            | Act::TakeSnapshot
            | Act::DeleteSnapshot => {}
        }
        true
    }

    /// The operator gives rescue control of the patient again.
    pub fn give_control_back(&self) {
        let rescue = self.hospital.rescue.canister;
        let sent = self.submit_controllers(&[self.hospital.operator(), rescue]);
        self.hospital
            .finish(&sent.expect("a message to the management canister is taken"))
            .unwrap();
    }

    /// The operator installs something where nothing is left.
    pub fn install_anew(&mut self) {
        let sent = self.submit_install(CanisterInstallMode::Install);
        self.hospital
            .finish(&sent.expect("a message to the management canister is taken"))
            .unwrap();
        self.is_meddled_with = true;
        self.is_touched = true;
    }

    /// The operator writes back what was downloaded before, if the uploader is there and runs.
    pub fn restore(&mut self) {
        let uploader = Phase::Holding {
            module: Held::Uploader,
            run: Run::Running,
        };
        let view = self.view();
        if view.phase != uploader {
            return;
        }
        let backup = match &self.saved {
            Some(saved) if self.is_meddled_with => saved.memories.clone(),
            _ => Memories::after(self.calls_of_own),
        };
        for (method, memory, bytes) in [
            (STABLE_WRITE, rescue_api::Memory::Stable, &backup.stable),
            (HEAP_WRITE, rescue_api::Memory::Heap, &backup.heap),
        ] {
            let recorded = view.memories.iter().find(|view| view.memory == memory);
            if !recorded.is_some_and(|view| view.wiped) {
                continue;
            }
            let args = candid::encode_args((0_u64, Bytes::new(bytes))).unwrap();
            let pic = &self.hospital.world.pic;
            // Someone else may have stopped it, or put something in its place.
            let _ = pic.update_call(self.id, self.hospital.operator(), method, args);
        }
    }

    /// Lets what is under way come to its end, and the leases, too.
    pub fn outlast_leases(&self) {
        self.hospital.pass(BEYOND_LEASES);
    }

    /// A management call of the operator about the patient.
    pub fn manage<In: ArgumentEncoder, Out: for<'b> ArgumentDecoder<'b>>(
        &self,
        method: &str,
        args: In,
    ) -> Result<Out, RejectResponse> {
        let args = candid::encode_args(args).unwrap();
        let message = self.hospital.send_to_management(self.id, method, args);
        let reply = self.hospital.finish(&message)?;
        Ok(candid::decode_args(&reply).unwrap())
    }

    /// Ids of the snapshots that really are there.
    pub fn snapshots(&self) -> Vec<Vec<u8>> {
        let record = CanisterIdRecord {
            canister_id: self.id,
        };
        let (listed,): (Vec<Snapshot>,) =
            self.manage("list_canister_snapshots", (record,)).unwrap();
        listed.into_iter().map(|snapshot| snapshot.id).collect()
    }

    /// What a snapshot holds; none if it is not there any more.
    pub fn read_snapshot(&self, id: &[u8]) -> Option<Saved> {
        let args = ReadCanisterSnapshotMetadataArgs {
            canister_id: self.id,
            snapshot_id: id.to_vec(),
        };
        let (metadata,): (ReadCanisterSnapshotMetadataResult,) = self
            .manage("read_canister_snapshot_metadata", (args,))
            .ok()?;
        let module = self.read_snapshot_data(
            id,
            SnapshotDataKind::WasmModule {
                offset: 0,
                size: metadata.wasm_module_size,
            },
        );
        let heap = self.read_snapshot_data(
            id,
            SnapshotDataKind::WasmMemory {
                offset: 0,
                size: metadata.wasm_memory_size,
            },
        );
        let stable = self.read_snapshot_data(
            id,
            SnapshotDataKind::StableMemory {
                offset: 0,
                size: metadata.stable_memory_size,
            },
        );
        Some(Saved {
            id: id.to_vec(),
            module_hash: sha256(&module),
            memories: Memories { heap, stable },
        })
    }

    fn read_snapshot_data(&self, id: &[u8], kind: SnapshotDataKind) -> Vec<u8> {
        let args = ReadCanisterSnapshotDataArgs {
            canister_id: self.id,
            snapshot_id: id.to_vec(),
            kind,
        };
        let (data,): (ReadCanisterSnapshotDataResult,) = self
            .manage("read_canister_snapshot_data", (args,))
            .unwrap_or_else(|error| panic!("{}: {error:?}", self.at));
        data.chunk
    }

    /// The heap as a module of its own shows it, which has to run.
    pub fn heap(&self) -> Vec<u8> {
        self.hospital
            .world
            .pic
            .query_call(self.id, self.hospital.operator(), living::HEAP, Vec::new())
            .unwrap_or_else(|error| panic!("{}: the patient does not answer: {error:?}", self.at))
    }

    /// Accepts what others have done, as often as something new is found.
    pub fn accept(&mut self) {
        if self.module_hash().is_none() {
            self.install_anew();
        }
        for _ in 0..ACCEPTS_MAX {
            let settled = self.ask(Step::Settle).unwrap();
            let total_num_changes = match settled {
                Ok(_) => return,
                Err(Refusal::ForeignChange {
                    total_num_changes, ..
                }) => total_num_changes,
                Err(Refusal::OutcomeUnknown(_) | Refusal::InProgress(_)) => {
                    self.outlast_leases();
                    continue;
                }
                Err(Refusal::NotPatientController { .. }) => {
                    self.give_control_back();
                    continue;
                }
                // Closed meanwhile.
                Err(Refusal::NotNow { .. }) => return,
                Err(other) => panic!("{}: settle: {other:?}", self.at),
            };
            let args = rescue_api::AcceptArgs {
                case: self.case,
                total_num_changes,
            };
            let accepted = self.hospital.ask(&Request {
                method: methods::ACCEPT,
                args: candid::encode_one(args).unwrap(),
            });
            match accepted.unwrap() {
                Ok(_) | Err(Refusal::ForeignChange { .. }) => {}
                Err(other) => panic!("{}: accept: {other:?}", self.at),
            }
        }
        panic!("{}: a foreign change cannot be accepted", self.at);
    }

    /// Removes the case and the patient, whatever became of them: the next run finds room.
    pub fn discharge(mut self) {
        if self.view().phase != Phase::Closed {
            let close = Step::Close {
                leave_as_is: true,
                delete_snapshot: false,
            };
            let closed = self.ask(close).unwrap();
            assert!(closed.is_ok(), "{}: close: {closed:?}", self.at);
        }
        let forgotten = self.hospital.ask(&Request {
            method: methods::FORGET,
            args: candid::encode_one(self.case).unwrap(),
        });
        let forgotten = forgotten.unwrap();
        assert!(forgotten.is_ok(), "{}: forget: {forgotten:?}", self.at);
        let (pic, operator) = (&self.hospital.world.pic, self.hospital.operator());
        pic.stop_canister(self.id, Some(operator)).unwrap();
        pic.delete_canister(self.id, Some(operator)).unwrap();
    }
}
