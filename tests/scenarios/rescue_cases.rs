//! What the rescue canister promises about a case: the way back from everywhere, one call that goes on,
//! and that nobody changes the patient behind its back.

use ic_agent::Certificate;
use ic_agent::hash_tree::{HashTree, LookupResult};
use ic_management_canister_types::WasmMemoryPersistence;
use pocket_ic::common::rest::RawMessageId;
use rescue_api::{
    AcceptArgs, Advance, CaseId, CaseView, CertifiedRoots, CloseArgs, FinalModule, HeapChoice,
    Held, HttpRequest, HttpResponse, InitArgs, InstallArgs, JournalEntry, ModuleChunkArgs,
    OpenCaseArgs, Pair, Phase, Plan, Refusal, RollbackArgs, RootStatement, Run, SnapshotPolicy,
    StagedModule, SwapArgs, SwapMemories, methods,
};
use serde_bytes::ByteBuf;
use tests::ledger::{Ledger, varied_entries};
use tests::rescue::Rescue;
use tests::{World, sha256, wasms};

const BROKEN: &str = "patients/ledger_hook_panics";
const FIXED: &str = "patients/ledger";

struct Ward {
    world: World,
    ledger: Ledger,
    rescue: Rescue,
    case: CaseId,
}

impl Ward {
    /// A bricked ledger and an open case.
    fn open() -> Ward {
        let world = World::new();
        let ledger = Ledger::bricked(&world, &varied_entries(5, 300_000), BROKEN);
        let rescue = Rescue::install(&world);
        rescue.take_control_of(&world, ledger.canister);
        let opened = rescue.open(
            &world,
            OpenCaseArgs {
                patient: ledger.canister,
                final_module_hash: Some(ByteBuf::from(sha256(&wasms::load(FIXED)))),
                snapshot: SnapshotPolicy::Take,
                plan: Plan {
                    heap: HeapChoice::Replace,
                    restore: false,
                },
            },
        );
        Ward {
            world,
            ledger,
            rescue,
            case: opened.case,
        }
    }

    fn step(&self, method: &str) -> Result<CaseView, Refusal> {
        self.rescue.update(&self.world, method, (self.case,))
    }

    fn swap(&self, module: Pair, memories: SwapMemories) -> Result<CaseView, Refusal> {
        let args = SwapArgs {
            case: self.case,
            module,
            memories,
            while_stopping: false,
        };
        self.rescue.update(&self.world, methods::SWAP_IN, (args,))
    }

    fn rollback(&self, discard_newer_state: bool) -> Result<CaseView, Refusal> {
        let args = RollbackArgs {
            case: self.case,
            discard_newer_state,
        };
        self.rescue.update(&self.world, methods::ROLLBACK, (args,))
    }

    fn advance(&self) -> Result<Advance, Refusal> {
        self.rescue
            .update(&self.world, methods::ADVANCE, (self.case,))
    }

    /// Advances until the case waits for its operator or is finished.
    fn advance_on(&self) -> Advance {
        for _ in 0..60 {
            match self.advance().unwrap() {
                end @ (Advance::YourTurn { .. } | Advance::Finished) => return end,
                Advance::Stepped(_) | Advance::Checksumming(_) | Advance::Attesting(_) => {}
            }
        }
        panic!("60 steps and no end");
    }

    fn view(&self) -> CaseView {
        self.rescue.case(&self.world, self.case)
    }

    fn stage_final_module(&self) {
        for (index, data) in (0..).zip(wasms::load(FIXED).chunks(1 << 20)) {
            let args = ModuleChunkArgs {
                case: self.case,
                index,
                data: ByteBuf::from(data.to_vec()),
            };
            let staged: StagedModule = self
                .rescue
                .update(&self.world, methods::PUT_MODULE_CHUNK, (args,))
                .unwrap();
            assert_eq!(staged.chunks, index + 1);
        }
    }
}

fn holding(module: Held, run: Run) -> Phase {
    Phase::Holding { module, run }
}

#[test]
fn rollback_gives_the_patient_back_from_every_phase() {
    let ward = Ward::open();
    let record = ward.ledger.record(&ward.world);
    let module = ward.world.module_hash(ward.ledger.canister);
    ward.step(methods::STOP).unwrap();
    let refused = ward.rollback(false).unwrap_err();
    assert!(matches!(refused, Refusal::NoSnapshot { .. }), "{refused:?}");
    ward.step(methods::SNAPSHOT).unwrap();

    type Step = fn(&Ward) -> Result<CaseView, Refusal>;
    let stages: [&[Step]; 3] = [
        &[],
        &[|ward| ward.swap(Pair::Downloader, SwapMemories::ReplaceHeap)],
        &[
            |ward| ward.swap(Pair::Uploader, SwapMemories::Keep),
            |ward| ward.step(methods::START),
        ],
    ];
    for steps in stages {
        for step in steps {
            step(&ward).unwrap();
        }
        let view = ward.rollback(false).unwrap();
        assert_eq!(view.phase, holding(Held::Own, Run::Stopped));
        assert_eq!(ward.world.module_hash(ward.ledger.canister), module);
    }
    ward.step(methods::START).unwrap();
    assert_eq!(ward.ledger.record(&ward.world), record);
    let refused = ward.rollback(false).unwrap_err();
    assert!(
        matches!(refused, Refusal::WouldDiscardState { .. }),
        "{refused:?}"
    );
}

#[test]
fn advance_alone_takes_the_case_from_its_opening_to_its_end() {
    let ward = Ward::open();
    let record = ward.ledger.record(&ward.world);
    let Advance::YourTurn { .. } = ward.advance_on() else {
        panic!("the backup is the operator's");
    };
    assert_eq!(ward.view().phase, holding(Held::Downloader, Run::Running));
    ward.stage_final_module();
    assert_eq!(ward.advance_on(), Advance::Finished);
    assert_eq!(ward.view().phase, Phase::Closed);
    assert_eq!(ward.ledger.record(&ward.world), record);
    let journal: Vec<JournalEntry> = ward
        .rescue
        .query(&ward.world, methods::JOURNAL, (ward.case, 0_u64, 200_u32))
        .unwrap();
    let last = journal.last().unwrap();
    assert_eq!(
        (last.event.as_str(), &last.phase),
        ("closed", &Phase::Closed)
    );
    assert!(
        journal
            .iter()
            .zip(0_u64..)
            .all(|(entry, index)| entry.index == index)
    );
}

#[test]
fn a_module_other_than_the_declared_one_is_not_installed() {
    let ward = Ward::open();
    ward.step(methods::STOP).unwrap();
    ward.step(methods::SNAPSHOT).unwrap();
    let args = InstallArgs {
        case: ward.case,
        module: FinalModule::Inline(ByteBuf::from(b"\0asm\x01\0\0\0".to_vec())),
        heap: HeapChoice::Replace,
        arg: ByteBuf::new(),
        although_unattested: false,
    };
    let answer: Result<CaseView, Refusal> =
        ward.rescue.update(&ward.world, methods::INSTALL, (args,));
    let refused = answer.unwrap_err();
    assert!(
        matches!(refused, Refusal::FinalHashMismatch { .. }),
        "{refused:?}"
    );
    assert_eq!(ward.view().phase, holding(Held::Own, Run::Stopped));
}

#[test]
fn a_foreign_upgrade_stops_the_case_until_it_is_accepted_or_rolled_back() {
    let ward = Ward::open();
    let record = ward.ledger.record(&ward.world);
    ward.step(methods::STOP).unwrap();
    ward.step(methods::SNAPSHOT).unwrap();
    ward.swap(Pair::Downloader, SwapMemories::ReplaceHeap)
        .unwrap();
    ward.world
        .upgrade(ward.ledger.canister, wasms::load(FIXED))
        .unwrap_err();
    let foreign = ward.world.upgrade_with(
        ward.ledger.canister,
        wasms::load(FIXED),
        true,
        WasmMemoryPersistence::Replace,
    );
    foreign.unwrap();
    let refused = ward.step(methods::START).unwrap_err();
    let Refusal::ForeignChange {
        total_num_changes,
        changes,
        ..
    } = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].by, ward.world.operator.principal);
    assert!(matches!(ward.view().phase, Phase::Foreign { .. }));
    assert!(matches!(
        ward.step(methods::START),
        Err(Refusal::ForeignChange { .. })
    ));
    let stale = AcceptArgs {
        case: ward.case,
        total_num_changes: total_num_changes - 1,
    };
    let answer: Result<CaseView, Refusal> =
        ward.rescue.update(&ward.world, methods::ACCEPT, (stale,));
    assert!(matches!(answer, Err(Refusal::ForeignChange { .. })));
    let accept = AcceptArgs {
        case: ward.case,
        total_num_changes,
    };
    let view: CaseView = ward
        .rescue
        .update(&ward.world, methods::ACCEPT, (accept,))
        .unwrap();
    // What the operator installed is the declared final module.
    assert_eq!(view.phase, holding(Held::Final, Run::Stopped));
    let view = ward.rollback(true).unwrap();
    assert_eq!(view.phase, holding(Held::Own, Run::Stopped));
    ward.step(methods::START).unwrap();
    assert_eq!(ward.ledger.record(&ward.world), record);
}

#[test]
fn a_step_out_of_order_is_refused_with_what_may_be_done() {
    let ward = Ward::open();
    let refused = ward.swap(Pair::Downloader, SwapMemories::Keep).unwrap_err();
    let Refusal::NotNow { may, .. } = refused else {
        panic!("{refused:?}");
    };
    assert!(may.contains(&rescue_api::Operation::Stop));
    ward.step(methods::STOP).unwrap();
    let refused = ward.swap(Pair::Downloader, SwapMemories::Keep).unwrap_err();
    assert_eq!(refused, Refusal::SnapshotFirst);
    let close = CloseArgs {
        case: ward.case,
        leave_as_is: false,
        delete_snapshot: false,
    };
    let answer: Result<CaseView, Refusal> =
        ward.rescue.update(&ward.world, methods::CLOSE, (close,));
    assert!(matches!(answer, Err(Refusal::PatientNotWhole { .. })));
}

/// The code that waits for an answer is not replaced before the answer has come.
#[test]
fn rescue_is_not_upgraded_while_its_calls_are_out() {
    let ward = Ward::open();
    ward.step(methods::STOP).unwrap();
    ward.step(methods::SNAPSHOT).unwrap();
    let world = &ward.world;
    world.pic.stop_progress();
    let args = SwapArgs {
        case: ward.case,
        module: Pair::Downloader,
        memories: SwapMemories::ReplaceHeap,
        while_stopping: false,
    };
    let rescue = ward.rescue.canister;
    let operator = Some(world.operator.principal);
    let message = world
        .pic
        .submit_call(
            rescue,
            world.operator.principal,
            methods::SWAP_IN,
            candid::encode_args((args,)).unwrap(),
        )
        .unwrap();
    let before = world.module_hash(ward.ledger.canister);
    tick_until(
        world,
        || world.module_hash(ward.ledger.canister) != before,
        &message,
    );
    let upgrade = || {
        let arg = candid::encode_args((None::<InitArgs>,)).unwrap();
        world
            .pic
            .upgrade_canister(rescue, wasms::load("rescue"), arg, operator)
    };
    let refused = upgrade().unwrap_err();
    assert!(
        refused.reject_message.contains("stop it first"),
        "{refused:?}"
    );
    world.pic.auto_progress();
    world.pic.stop_canister(rescue, operator).unwrap();
    upgrade().unwrap();
    world.pic.start_canister(rescue, operator).unwrap();
    let view = ward.view();
    assert_eq!(view.phase, holding(Held::Downloader, Run::Stopped));
    let view = ward.rollback(false).unwrap();
    assert_eq!(view.phase, holding(Held::Own, Run::Stopped));
}

fn tick_until(world: &World, reached: impl Fn() -> bool, message: &RawMessageId) {
    // The step is two looks and a call: a handful of rounds, 100 are plenty.
    for _ in 0..100 {
        if reached() {
            return;
        }
        world.pic.tick();
    }
    panic!("{message:?} had no effect within 100 rounds");
}

#[test]
fn roots_and_pages_are_certified() {
    let ward = Ward::open();
    ward.advance_on();
    let roots: CertifiedRoots = ward
        .rescue
        .query(&ward.world, methods::CERTIFIED_ROOTS, (ward.case,))
        .unwrap();
    let statement = &roots.statements[0];
    assert_eq!(statement.patient, ward.ledger.canister);
    let witness: HashTree<Vec<u8>> = serde_cbor::from_slice(&roots.witness).unwrap();
    let label = RootStatement::case_label(ward.case);
    let path: [&[u8]; 3] = [
        RootStatement::TREE_LABEL.as_bytes(),
        &label,
        statement.memory.name().as_bytes(),
    ];
    let LookupResult::Found(text) = witness.lookup_path(path) else {
        panic!("the witness does not reveal the statement");
    };
    assert_eq!(text, statement.to_text().as_bytes());
    let certificate: Certificate =
        serde_cbor::from_slice(&roots.certificate.expect("a query has a certificate")).unwrap();
    let certified = [b"canister", roots.rescue.as_slice(), b"certified_data"];
    let LookupResult::Found(data) = certificate.tree.lookup_path(certified) else {
        panic!("the certificate does not tell the certified data");
    };
    assert_eq!(data, witness.digest());

    for (path, sign) in [("/", "<h2>Case 1:"), ("/metrics", "ic_rescue_cycles ")] {
        let request = HttpRequest {
            method: "GET".to_string(),
            url: path.to_string(),
            headers: Vec::new(),
            body: ByteBuf::new(),
            certificate_version: None,
        };
        let anyone = candid::Principal::anonymous();
        let response: HttpResponse = ward
            .world
            .query(
                ward.rescue.canister,
                anyone,
                methods::HTTP_REQUEST,
                (request,),
            )
            .unwrap();
        assert_eq!(response.status_code, 200);
        let body = String::from_utf8(response.body.into_vec()).unwrap();
        assert!(body.contains(sign), "{body}");
        let certified = response
            .headers
            .iter()
            .any(|(name, value)| name == "IC-Certificate" && value.contains("tree=:"));
        assert!(certified);
    }
}
