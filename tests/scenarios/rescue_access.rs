//! Every method of the rescue canister times everybody who may call it, as `rescue/README.md` has it.
//!
//! The table is read from the document, the methods from `rescue.did`; a method that is missing there, a
//! caller who gets in where it says no, or stays out where it says yes, fails the test. All arguments are
//! well formed and about a case that does not exist, so that whoever gets in changes nothing.

use candid::Principal;
use rescue_api::{
    AcceptArgs, Answer, AttestArgs, ChecksumArgs, CloseArgs, DeclareArgs, FinalModule, HeapChoice,
    HttpRequest, InitArgs, InstallArgs, Memory, ModuleChunkArgs, OpenCaseArgs, Pair, Plan, Refusal,
    RollbackArgs, SnapshotPolicy, SwapArgs, SwapMemories, methods,
};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use std::path::Path;
use tests::rescue::Rescue;
use tests::{World, forwarder, tiny, wasms};

/// The columns of the table, in its words.
const CALLERS: [&str; 5] = [
    "anonymous",
    "stranger",
    "auditor",
    "controller of the patient only",
    "controller",
];
/// No case has this number.
const NO_CASE: u64 = 999;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// In every way.
    Yes,
    /// As a query, which costs nothing; not as an update.
    Query,
    /// In no way.
    No,
}

fn encode<T: candid::utils::ArgumentEncoder>(args: T) -> Vec<u8> {
    candid::encode_args(args).unwrap()
}

fn blob(bytes: &[u8]) -> ByteBuf {
    ByteBuf::from(bytes.to_vec())
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The table of the document: who may call what.
fn documented() -> BTreeMap<String, Vec<Access>> {
    let document = read("../rescue/README.md");
    let mut table = BTreeMap::new();
    let mut is_below_heading = false;
    for line in document.lines() {
        let words: Vec<&str> = line.split('|').map(str::trim).collect();
        if words.len() != CALLERS.len() + 3 {
            continue;
        }
        if words[2..2 + CALLERS.len()] == CALLERS {
            is_below_heading = true;
        } else if is_below_heading {
            let access: Vec<Access> = words[2..2 + CALLERS.len()]
                .iter()
                .filter_map(|word| match *word {
                    "yes" => Some(Access::Yes),
                    "query" => Some(Access::Query),
                    "no" => Some(Access::No),
                    _ => None,
                })
                .collect();
            for method in words[1].split('`').skip(1).step_by(2) {
                let twice = table.insert(method.to_string(), access.clone());
                assert_eq!(twice, None, "{method} is in the table twice");
            }
        }
    }
    table
}

/// The methods of the interface: their names, and whether they are queries.
fn interface() -> BTreeMap<String, bool> {
    let did = read("../rescue/rescue.did");
    let (_, service) = did.split_once("\nservice : ").unwrap();
    service
        .lines()
        .skip(1)
        .filter_map(|line| line.trim().split_once(" : "))
        .map(|(name, kind)| (name.to_string(), kind.ends_with("query;")))
        .collect()
}

/// Every method that changes something, with a well-formed argument.
fn updates(itself: Principal, auditors: &[Principal]) -> Vec<(&'static str, Vec<u8>)> {
    let case = NO_CASE;
    let hash = blob(&[0; 32]);
    vec![
        (
            methods::OPEN_CASE,
            encode((OpenCaseArgs {
                patient: itself,
                final_module_hash: None,
                snapshot: SnapshotPolicy::Take,
                plan: Plan {
                    heap: HeapChoice::Keep,
                    restore: false,
                },
            },)),
        ),
        (methods::STOP, encode((case,))),
        (methods::SNAPSHOT, encode((case,))),
        (
            methods::SWAP_IN,
            encode((SwapArgs {
                case,
                module: Pair::Downloader,
                memories: SwapMemories::Keep,
                while_stopping: false,
            },)),
        ),
        (methods::START, encode((case,))),
        (
            methods::CHECKSUM,
            encode((ChecksumArgs {
                case,
                memory: Memory::Stable,
                restart: false,
                batches_max: None,
            },)),
        ),
        (
            methods::ATTEST,
            encode((AttestArgs {
                case,
                memory: Memory::Stable,
                restart: false,
                batches_max: None,
            },)),
        ),
        (
            methods::DECLARE,
            encode((DeclareArgs {
                case,
                final_module_hash: hash,
            },)),
        ),
        (
            methods::PUT_MODULE_CHUNK,
            encode((ModuleChunkArgs {
                case,
                index: 0,
                data: blob(b"module"),
            },)),
        ),
        (methods::CLEAR_MODULE, encode((case,))),
        (
            methods::INSTALL,
            encode((InstallArgs {
                case,
                module: FinalModule::Staged,
                heap: HeapChoice::Keep,
                arg: blob(&[]),
                although_unattested: false,
            },)),
        ),
        (
            methods::ROLLBACK,
            encode((RollbackArgs {
                case,
                discard_newer_state: true,
            },)),
        ),
        (methods::SETTLE, encode((case,))),
        (
            methods::ACCEPT,
            encode((AcceptArgs {
                case,
                total_num_changes: 0,
            },)),
        ),
        (methods::ADVANCE, encode((case,))),
        (
            methods::CLOSE,
            encode((CloseArgs {
                case,
                leave_as_is: true,
                delete_snapshot: false,
            },)),
        ),
        (methods::FORGET, encode((case,))),
        (methods::SET_AUDITORS, encode((auditors,))),
    ]
}

/// Every method that shows something, with a well-formed argument.
fn queries() -> Vec<(&'static str, Vec<u8>)> {
    let case = NO_CASE;
    vec![
        (methods::GET_CASE, encode((case,))),
        (methods::LIST_CASES, encode((1_u64, 10_u32))),
        (
            methods::CHECKSUMS,
            encode((case, Memory::Stable, 0_u64, 1_u64)),
        ),
        (methods::JOURNAL, encode((case, 0_u64, 10_u32))),
        (methods::AUDITORS, encode(())),
        (methods::CERTIFIED_ROOTS, encode((case,))),
        (methods::MODULES, encode(())),
        (
            methods::HTTP_REQUEST,
            encode((HttpRequest {
                method: "GET".to_string(),
                url: "/metrics".to_string(),
                headers: Vec::new(),
                body: ByteBuf::new(),
                certificate_version: None,
            },)),
        ),
    ]
}

/// Whether an answer says that its caller may not ask. Answers of other shapes are answers.
fn is_shut_out(reply: &[u8]) -> bool {
    matches!(
        candid::decode_one::<Answer<candid::Reserved>>(reply),
        Ok(Err(
            Refusal::NotController { .. } | Refusal::NotAuditor { .. }
        ))
    )
}

struct House {
    world: World,
    rescue: Rescue,
}

impl House {
    fn cycles(&self) -> u128 {
        self.world.pic.cycle_balance(self.rescue.canister)
    }

    /// By a message from outside. Whoever is refused costs nothing.
    fn enters_as_update(&self, caller: Principal, method: &str, arg: &[u8]) -> bool {
        let pic = &self.world.pic;
        let before = self.cycles();
        let sent = pic.submit_call(self.rescue.canister, caller, method, arg.to_vec());
        match sent {
            Ok(message) => !is_shut_out(&pic.await_call(message).unwrap()),
            Err(refused) => {
                assert!(
                    refused.reject_message.contains("only controllers"),
                    "{method}: {refused:?}"
                );
                assert_eq!(self.cycles(), before, "refusing {method} cost cycles");
                false
            }
        }
    }

    fn enters_as_query(&self, caller: Principal, method: &str, arg: &[u8]) -> bool {
        let pic = &self.world.pic;
        let reply = pic.query_call(self.rescue.canister, caller, method, arg.to_vec());
        !is_shut_out(&reply.unwrap())
    }
}

#[test]
fn every_method_is_open_to_whom_the_table_says() {
    let world = World::new();
    world.pic.stop_progress();
    let auditor = Principal::from_slice(&[1; 10]);
    let keeper = Principal::from_slice(&[2; 10]);
    let init = InitArgs {
        auditors: Some(vec![auditor]),
        dashboard: None,
    };
    let rescue = Rescue {
        canister: world.install(wasms::load("rescue"), encode((Some(init),))),
    };
    let patient = tiny::install(
        &world,
        tiny::patient(tiny::FULL_PAGES, false),
        &[keeper, rescue.canister],
    );
    let callers = [
        Principal::anonymous(),
        world.stranger.principal,
        auditor,
        keeper,
        world.operator.principal,
    ];
    let house = House { world, rescue };

    let table = documented();
    let interface = interface();
    assert!(table.keys().eq(interface.keys()), "{table:?} {interface:?}");
    // The patient is rescue itself, which no case is opened for: who gets in changes nothing.
    let updates = updates(rescue.canister, &[auditor]);
    let queries = queries();
    assert_eq!(updates.len() + queries.len(), interface.len());

    for (method, arg) in &updates {
        assert!(!interface[*method], "{method} is a query");
        for (caller, access) in callers.iter().zip(&table[*method]) {
            let expected = *access == Access::Yes;
            let enters = house.enters_as_update(*caller, method, arg);
            assert_eq!(enters, expected, "{method} by {caller}");
        }
    }
    for (method, arg) in &queries {
        assert!(interface[*method], "{method} is an update");
        assert_eq!(table[*method].len(), CALLERS.len(), "{method}");
        for (caller, access) in callers.iter().zip(&table[*method]) {
            let enters = house.enters_as_query(*caller, method, arg);
            assert_eq!(enters, *access != Access::No, "{method} by {caller}");
            let enters = house.enters_as_update(*caller, method, arg);
            assert_eq!(enters, *access == Access::Yes, "{method} by {caller}");
        }
    }

    // A canister does not come in by the door: the methods themselves refuse it.
    let canister = house.world.install(forwarder::module(), Vec::new());
    for (method, arg) in updates.iter().chain(&queries) {
        let reply = forwarder::call(&house.world, canister, rescue.canister, method, arg).unwrap();
        let access = table[*method][1];
        assert_eq!(is_shut_out(&reply), access == Access::No, "{method}");
    }
    let status = house.world.status(patient);
    assert_eq!(format!("{:?}", status.status), "Running");
}

/// Rescue, and so many rounds that its installation no longer bars an upgrade.
fn installed(world: &World) -> Rescue {
    let rescue = Rescue::install(world);
    for _ in 0..20 {
        world.pic.tick();
    }
    rescue
}

#[test]
fn arguments_of_installation_and_upgrade_are_checked() {
    let world = World::new();
    world.pic.stop_progress();
    let install = |init: InitArgs| {
        let canister = world.create_canister();
        world.pic.reinstall_canister(
            canister,
            wasms::load("rescue"),
            encode((Some(init),)),
            Some(world.operator.principal),
        )
    };
    let too_many = InitArgs {
        auditors: Some(
            (0..33)
                .map(|number| Principal::from_slice(&[number; 10]))
                .collect(),
        ),
        dashboard: None,
    };
    let everybody = InitArgs {
        auditors: Some(vec![Principal::anonymous()]),
        dashboard: None,
    };
    for (args, sign) in [
        (too_many, "number of auditors is 33, the limit is 32"),
        (everybody, "the anonymous principal is everybody"),
    ] {
        let refused = install(args.clone()).unwrap_err();
        assert!(refused.reject_message.contains(sign), "{refused:?}");
        let rescue = installed(&world);
        let upgraded = world.pic.upgrade_canister(
            rescue.canister,
            wasms::load("rescue"),
            encode((Some(args),)),
            Some(world.operator.principal),
        );
        let refused = upgraded.unwrap_err();
        assert!(refused.reject_message.contains(sign), "{refused:?}");
        // The upgrade was reverted: the canister is what it was.
        let auditors: Vec<Principal> = rescue.query(&world, methods::AUDITORS, ()).unwrap();
        assert!(auditors.is_empty());
    }
    let nonsense = world.pic.upgrade_canister(
        installed(&world).canister,
        wasms::load("rescue"),
        b"no candid".to_vec(),
        Some(world.operator.principal),
    );
    assert!(nonsense.is_err());
}
