//! Rescue on one subnet, its patients on another, and rounds that pass only when they are asked to: so that
//! something can happen between any two of a step's messages.

use super::rows::{self, Request, Row};
use candid::{Nat, Principal, Reserved};
use ic_management_canister_types::{
    CanisterInstallMode, InstallCodeArgs, UpgradeFlags, WasmMemoryPersistence,
};
use pocket_ic::common::rest::{RawEffectivePrincipal, RawMessageId};
use pocket_ic::{CanisterSettings, RejectResponse};
use rescue_api::{
    AcceptArgs, Advance, Answer, CaseId, CaseSummary, CaseView, Held, InitArgs, Memory, Phase,
    Refusal, Run, methods,
};
use std::time::Duration;
use tests::rescue::Rescue;
use tests::{World, sha256, tiny, trapping, wasms};

/// Rounds within which every message is answered.
const ROUNDS_MAX: usize = 120;
/// Longer than any lease, and an even number of minutes.
pub const BEYOND_LEASES: Duration = Duration::from_secs(20 * 60);
/// Steps within which `advance` comes to an end.
const ADVANCES_MAX: usize = 40;
const SECONDS_PER_DAY: u64 = 86_400;

pub struct Hospital {
    pub world: World,
    pub rescue: Rescue,
    rescue_module: Vec<u8>,
}

impl Hospital {
    pub fn new() -> Hospital {
        Hospital::with_rescue(wasms::load("rescue"), None)
    }

    /// Its rescue canister's callbacks trap in odd minutes; it is an even one.
    pub fn with_trapping_callbacks() -> Hospital {
        Hospital::with_trapping_callbacks_and(None)
    }

    /// The same with an argument for its `init`.
    pub fn with_trapping_callbacks_and(init: Option<InitArgs>) -> Hospital {
        let module = trapping::in_odd_minutes(&wasms::load("rescue"));
        let hospital = Hospital::with_rescue(module, init);
        let nanos = hospital.world.pic.get_time().as_nanos_since_unix_epoch();
        let into_pair = Duration::from_nanos(nanos % 120_000_000_000);
        hospital.pass(Duration::from_secs(120) - into_pair);
        hospital
    }

    fn with_rescue(rescue_module: Vec<u8>, init: Option<InitArgs>) -> Hospital {
        let world = World::with_application_subnets(2);
        world.pic.stop_progress();
        let rescue = Rescue {
            canister: world.create_canister(),
        };
        let hospital = Hospital {
            world,
            rescue,
            rescue_module,
        };
        hospital.world.pic.install_canister(
            rescue.canister,
            hospital.rescue_module.clone(),
            candid::encode_args((init,)).unwrap(),
            Some(hospital.operator()),
        );
        hospital
    }

    pub fn operator(&self) -> Principal {
        self.world.operator.principal
    }

    /// A new patient.
    pub fn admit(&self) -> Principal {
        tiny::install(
            &self.world,
            tiny::patient(tiny::FULL_PAGES, false),
            &[self.rescue.canister],
        )
    }

    pub fn pass(&self, time: Duration) {
        self.world.pic.advance_time(time);
        self.world.pic.tick();
    }

    /// Sends a message and lets no round pass.
    pub fn send(&self, request: &Request) -> RawMessageId {
        self.world
            .pic
            .submit_call(
                self.rescue.canister,
                self.operator(),
                request.method,
                request.args.clone(),
            )
            .unwrap()
    }

    pub fn is_answered(&self, message: &RawMessageId) -> bool {
        self.world.pic.ingress_status(message.clone()).is_some()
    }

    /// Lets rounds pass until a message is answered.
    pub fn finish(&self, message: &RawMessageId) -> Result<Vec<u8>, RejectResponse> {
        for _ in 0..ROUNDS_MAX {
            if let Some(answer) = self.world.pic.ingress_status(message.clone()) {
                return answer;
            }
            self.world.pic.tick();
        }
        panic!("no answer within {ROUNDS_MAX} rounds");
    }

    /// Sends a message and waits for what rescue answers; a trap is an outer error.
    pub fn ask(&self, request: &Request) -> Result<Answer<Reserved>, RejectResponse> {
        let message = self.send(request);
        self.finish(&message).map(|reply| decode(&reply))
    }

    /// Sends a message that must succeed.
    pub fn expect(&self, request: &Request) {
        let answer = self.ask(request).unwrap();
        assert!(answer.is_ok(), "{}: {answer:?}", request.method);
    }

    pub fn view(&self, case: CaseId) -> CaseView {
        self.rescue.case(&self.world, case)
    }

    /// The newest case of a patient.
    pub fn case_of(&self, patient: Principal) -> Option<CaseId> {
        let cases: Vec<CaseSummary> = self
            .rescue
            .query(&self.world, methods::LIST_CASES, (1_u64, 200_u32))
            .unwrap();
        cases
            .into_iter()
            .filter(|case| case.patient == patient)
            .map(|case| case.case)
            .next_back()
    }

    /// Lets rounds pass until the step's call is out, but at most so many, and not beyond its answer.
    pub fn pass_rounds_into(&self, message: &RawMessageId, case: CaseId, rounds_max: usize) {
        for _ in 0..rounds_max {
            let is_out = case != 0 && matches!(self.view(case).phase, Phase::Unknown { .. });
            if is_out || self.is_answered(message) {
                return;
            }
            self.world.pic.tick();
        }
    }

    /// The patient (or whoever it is) can pay for nothing any more: it must keep more than it has.
    pub fn freeze(&self, patient: Principal) {
        let status = self.world.status(patient);
        let must_keep = status.cycles * 11_u64 / 10_u64;
        let seconds = must_keep * SECONDS_PER_DAY / status.idle_cycles_burned_per_day;
        self.set_freezing_threshold(patient, seconds);
    }

    /// The operator tops a frozen patient up, and lowers what it must keep.
    pub fn thaw(&self, patient: Principal) {
        let cycles = self.world.pic.cycle_balance(patient);
        self.world.pic.add_cycles(patient, cycles / 5);
        self.set_freezing_threshold(patient, (30 * SECONDS_PER_DAY).into());
    }

    fn set_freezing_threshold(&self, patient: Principal, seconds: Nat) {
        let settings = CanisterSettings {
            freezing_threshold: Some(seconds),
            ..CanisterSettings::default()
        };
        self.world
            .pic
            .update_canister_settings(patient, Some(self.operator()), settings)
            .unwrap();
    }

    /// Someone else upgrades the patient, skipping the hook that traps. Lets no round pass.
    pub fn meddle(&self, patient: Principal) -> RawMessageId {
        let flags = UpgradeFlags {
            skip_pre_upgrade: Some(true),
            wasm_memory_persistence: Some(WasmMemoryPersistence::Replace),
        };
        let args = InstallCodeArgs {
            mode: CanisterInstallMode::Upgrade(Some(flags)),
            canister_id: patient,
            wasm_module: tiny::healthy("strange"),
            arg: Vec::new(),
            sender_canister_version: None,
        };
        self.send_to_management(patient, "install_code", candid::encode_one(args).unwrap())
    }

    /// Sends a message of the operator to the management canister, about a patient, and lets no round pass.
    pub fn send_to_management(
        &self,
        patient: Principal,
        method: &str,
        args: Vec<u8>,
    ) -> RawMessageId {
        self.world
            .pic
            .submit_call_with_effective_principal(
                Principal::management_canister(),
                RawEffectivePrincipal::CanisterId(patient.as_slice().to_vec()),
                self.operator(),
                method,
                args,
            )
            .unwrap()
    }

    /// Tries to upgrade rescue to its own module.
    pub fn upgrade_rescue(&self) -> Result<(), RejectResponse> {
        self.world.pic.upgrade_canister(
            self.rescue.canister,
            self.rescue_module.clone(),
            no_init_args(),
            Some(self.operator()),
        )
    }

    /// Upgrades rescue, as soon as its last installation no longer bars it.
    pub fn upgrade_rescue_now(&self) {
        for _ in 0..ROUNDS_MAX {
            if self.upgrade_rescue().is_ok() {
                return;
            }
            self.world.pic.tick();
        }
        panic!("rescue cannot be upgraded");
    }

    fn module_hash(&self, patient: Principal) -> Option<Vec<u8>> {
        self.world.module_hash(patient)
    }

    /// What a case says must be what the patient is.
    pub fn check_truth(&self, patient: Principal, case: CaseId, at: &str) {
        let view = self.view(case);
        let Phase::Holding { module, run } = view.phase else {
            return;
        };
        let status = self.world.status(patient);
        let held = status.module_hash.unwrap();
        let expected = match module {
            Held::Own => vec![own(), strange()],
            Held::Downloader => vec![sha256(&wasms::load("downloader"))],
            Held::Uploader => vec![sha256(&wasms::load("uploader"))],
            Held::Final => vec![finally()],
        };
        assert!(expected.contains(&held), "{at}: {:?}", view.phase);
        let runs = match run {
            Run::Running => "Running",
            Run::Stopping => "Stopping",
            Run::Stopped => "Stopped",
        };
        assert_eq!(format!("{:?}", status.status), runs, "{at}");
        let wiped = view
            .memories
            .iter()
            .any(|memory| memory.memory == Memory::Stable && memory.wiped);
        if !wiped {
            let stable = self.world.stable_memory(patient);
            assert!(stable == tiny::contents(), "{at}: stable memory differs");
        }
    }

    /// From wherever the case is: `rollback` works, or there is no snapshot yet because nothing has been
    /// changed; either way the patient is what it was. Unless someone else's module was accepted.
    pub fn roll_back(&self, patient: Principal, case: CaseId, at: &str) {
        for _ in 0..4 {
            match self.ask(&rows::rollback(case)) {
                Ok(Ok(_)) => break,
                Ok(Err(Refusal::OutcomeUnknown(_) | Refusal::InProgress(_))) => {
                    self.pass(BEYOND_LEASES);
                }
                Ok(Err(Refusal::NoSnapshot { .. })) => break,
                // A late call of our own shows as one more change.
                Ok(Err(Refusal::ForeignChange {
                    total_num_changes, ..
                })) => self.accept(case, total_num_changes),
                other => panic!("{at}: rollback: {other:?}"),
            }
        }
        let hash = self.module_hash(patient);
        let view = self.view(case);
        assert!(
            hash == Some(own()) || (view.snapshot.is_none() && hash == Some(strange())),
            "{at}: {:?}",
            view.phase
        );
        assert!(
            self.world.stable_memory(patient) == tiny::contents(),
            "{at}: stable memory differs after the rollback"
        );
        if hash == Some(own()) {
            self.look_over(patient, case, at);
        }
    }

    /// The patient runs and answers.
    fn look_over(&self, patient: Principal, case: CaseId, at: &str) {
        let pic = &self.world.pic;
        for _ in 0..4 {
            match self.ask(&rows::step(methods::START, case)) {
                Ok(Ok(_) | Err(Refusal::NotNow { .. })) => break,
                Ok(Err(Refusal::OutcomeUnknown(_) | Refusal::InProgress(_))) => {
                    self.pass(BEYOND_LEASES);
                }
                Ok(Err(Refusal::ForeignChange {
                    total_num_changes, ..
                })) => self.accept(case, total_num_changes),
                other => panic!("{at}: start: {other:?}"),
            }
        }
        pic.query_call(patient, self.operator(), "own", Vec::new())
            .unwrap_or_else(|error| panic!("{at}: the patient does not answer: {error:?}"));
    }

    /// From wherever the case is: `advance` leads to its end or to where it waits for the operator.
    pub fn advance(&self, patient: Principal, case: CaseId, at: &str) {
        let mut accepted = false;
        for _ in 0..ADVANCES_MAX {
            let message = self.send(&rows::step(methods::ADVANCE, case));
            let reply = self.finish(&message).unwrap();
            let answer: Answer<Advance> = candid::decode_one(&reply).unwrap();
            match answer {
                Ok(Advance::Finished) => break,
                Ok(Advance::YourTurn { .. }) => {
                    if !matches!(self.view(case).phase, Phase::Foreign { .. }) {
                        break;
                    }
                    accepted = true;
                    match self.ask(&rows::step(methods::SETTLE, case)) {
                        Ok(Err(Refusal::ForeignChange {
                            total_num_changes, ..
                        })) => self.accept(case, total_num_changes),
                        other => panic!("{at}: {other:?} about a foreign change"),
                    }
                }
                Ok(Advance::Stepped(_) | Advance::Checksumming(_) | Advance::Attesting(_)) => {}
                Err(Refusal::OutcomeUnknown(_) | Refusal::InProgress(_)) => {
                    self.pass(BEYOND_LEASES);
                }
                Err(Refusal::ForeignChange {
                    total_num_changes, ..
                }) => {
                    self.accept(case, total_num_changes);
                    accepted = true;
                }
                Err(other) => panic!("{at}: advance: {other:?}"),
            }
        }
        let phase = self.view(case).phase;
        assert!(
            matches!(phase, Phase::Holding { .. } | Phase::Closed),
            "{at}: advance led to {phase:?}"
        );
        // Whoever accepts what someone else made of the patient accepts its memories as they are.
        if !accepted {
            self.check_truth(patient, case, at);
        }
    }

    fn accept(&self, case: CaseId, total_num_changes: u64) {
        let args = AcceptArgs {
            case,
            total_num_changes,
        };
        self.expect(&Request {
            method: methods::ACCEPT,
            args: candid::encode_one(args).unwrap(),
        });
    }

    /// What must hold after every cell. One patient is rolled back, the other goes on.
    pub fn discharge(&self, patient: Principal, row: Row, back: bool, at: &str) {
        let case = match self.case_of(patient) {
            Some(case) => case,
            None => {
                // Nothing was recorded, so nothing was done: the same command again opens the case.
                assert_eq!(row, Row::OpenCase, "{at}");
                self.expect(&rows::open(patient));
                self.case_of(patient).expect("the case was opened")
            }
        };
        self.check_truth(patient, case, at);
        if self.view(case).phase == Phase::Closed {
            // What others do after the last look is no longer the case's.
            let hash = self.module_hash(patient);
            let is_whole = [own(), strange(), finally()].map(Some).contains(&hash);
            assert!(is_whole, "{at}: closed with another module");
        } else if back {
            self.roll_back(patient, case, at);
        } else {
            self.advance(patient, case, at);
        }
    }
}

fn own() -> Vec<u8> {
    sha256(&tiny::patient(tiny::FULL_PAGES, false))
}

fn strange() -> Vec<u8> {
    sha256(&tiny::healthy("strange"))
}

fn finally() -> Vec<u8> {
    sha256(&tiny::healthy("final"))
}

fn no_init_args() -> Vec<u8> {
    candid::encode_args((None::<InitArgs>,)).unwrap()
}

pub fn decode(reply: &[u8]) -> Answer<Reserved> {
    candid::decode_one(reply).unwrap()
}
