//! A server that breaks replies on order, in every way it knows, through a whole rescue: what is wrong is
//! caught, repeated until it is right, and told. Only the local network breaks replies on order.

use serde_json::{Value, json};
use std::process::Output;
use tests::World;
use tests::cli::Cli;
use tests::faults::Faults;
use tests::flow::Flow;
use tests::ledger::{Ledger, varied_entries};

/// Decides which requests are broken, and where.
const SEED: u64 = 61;
/// Chance of each request to be broken.
const CHANCE: f64 = 0.2;
/// Requests that the command has under way at once, unless told otherwise.
const LANES: u64 = 12;

/// What a command says of faults it met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Calls or chunks had to be repeated.
    Yes,
    /// Nothing had to be repeated.
    No,
}

/// A ledger with entries of about so many bytes that cannot be upgraded.
fn bricked(world: &World, bytes: usize) -> Ledger {
    let entries = varied_entries(SEED, bytes);
    Ledger::bricked(world, &entries, "patients/ledger_hook_panics")
}

/// Rescues a ledger with `rules` in force from beginning to end, and compares every record.
fn rescue_under(name: &str, rules: &[Value], told: Told) {
    let world = World::new();
    let Some(faults) = Faults::of(&world) else {
        return;
    };
    let ledger = bricked(&world, 400_000);
    let record = ledger.record(&world);
    let flow = Flow::begin(&world, ledger.canister);

    faults.order(SEED, rules);
    let report = flow.backup_over(&world.url()).succeed();
    let struck: u64 = faults.struck().iter().sum();
    assert!(struck > 0, "{name}: nothing was broken");
    let is_told = ["had to be repeated", "wrong bytes"]
        .iter()
        .any(|words| report.contains(words));
    assert_eq!(
        is_told,
        told == Told::Yes,
        "{name}, {struck} broken:\n{report}"
    );
    flow.backup();
    flow.verify();
    flow.wipe_and_restore();
    flow.install("patients/ledger_fixed");
    println!("{name}: {:?} broken", faults.struck());
    faults.end();
    assert_eq!(ledger.record(&world), record, "{name}");
}

/// A rescue for each kind of fault, all at once: they wait most of the time. The faults hit everything that
/// travels.
fn rescue_under_each(kinds: &[(Value, Told)]) {
    std::thread::scope(|scope| {
        for (fault, told) in kinds {
            scope.spawn(move || {
                let rule = |on: &str| json!({"on": on, "probability": CHANCE, "fault": fault});
                let rules = ["query", "call", "read_state"].map(rule);
                rescue_under(&fault.to_string(), &rules, *told);
            });
        }
    });
}

#[test]
fn lost_requests_and_replies_are_repeated() {
    rescue_under_each(&[
        (json!({"kind": "cut"}), Told::Yes),
        // Executed, and nobody heard of it.
        (json!({"kind": "drop_reply"}), Told::Yes),
        (json!({"kind": "status", "code": 503}), Told::Yes),
    ]);
}

#[test]
fn mutilated_replies_are_caught() {
    rescue_under_each(&[
        (json!({"kind": "cut_reply"}), Told::Yes),
        (json!({"kind": "truncate"}), Told::Yes),
        (json!({"kind": "corrupt"}), Told::Yes),
    ]);
}

#[test]
fn late_and_repeated_requests_do_no_harm() {
    rescue_under_each(&[
        (json!({"kind": "delay", "ms": 150}), Told::No),
        (json!({"kind": "duplicate"}), Told::No),
    ]);
}

#[test]
fn a_node_that_lies_under_its_own_signature_is_caught() {
    let lie = |method: &str, count: u64| json!({"on": "query", "method": method, "count": count, "fault": {"kind": "lie"}});
    let rules = [
        lie("stable_read", 3),
        lie("heap_read", 1),
        lie("stable_sha256", 1),
        lie("checksums", 2),
        lie("certified_roots", 2),
    ];
    rescue_under("lies", &rules, Told::Yes);
}

#[test]
fn what_does_not_pass_is_not_repeated() {
    let world = World::new();
    let Some(faults) = Faults::of(&world) else {
        return;
    };
    let ledger = bricked(&world, 400_000);
    let flow = Flow::begin(&world, ledger.canister);
    let read = |fault: Value| [json!({"on": "query", "method": "stable_read", "fault": fault})];

    faults.order(SEED, &read(json!({"kind": "status", "code": 400})));
    let Output { status, stderr, .. } = flow.backup_over(&world.url()).run();
    assert_eq!(
        status.code(),
        Some(6),
        "{}",
        String::from_utf8_lossy(&stderr)
    );
    // Requests that were under way already are broken, too; none comes twice.
    assert!(faults.struck()[0] <= LANES, "{:?}", faults.struck());

    // A node that always lies is given up, in the end.
    faults.order(SEED, &read(json!({"kind": "lie"})));
    let Output { status, stderr, .. } = flow.backup_over(&world.url()).run();
    let text = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(3), "{text}");
    assert!(text.contains("replies had wrong bytes"), "{text}");
    assert!(!flow.directory().join("stable_memory.bin").exists());
    faults.end();
    flow.backup();
}

/// Loses the reply to one call of `method`, and has the command `args` get by.
fn lose_reply(flow: &Flow, world: &World, faults: &Faults, method: &str, args: &[&str]) -> String {
    let lost = json!({"on": "call", "method": method, "count": 1, "fault": {"kind": "drop_reply"}});
    faults.order(SEED, &[lost]);
    let rescue = flow.rescue().canister.to_text();
    let mut words: Vec<&dyn AsRef<std::ffi::OsStr>> = Vec::new();
    for arg in args {
        words.push(arg);
    }
    words.extend::<[&dyn AsRef<std::ffi::OsStr>; 2]>([&"--rescue", &rescue]);
    let told = Cli::new(world, &words).succeed();
    assert_eq!(faults.struck(), [1], "{method}");
    faults.end();
    told
}

#[test]
fn lost_replies_to_the_last_steps_of_a_case_are_got_over() {
    let world = World::new();
    let Some(faults) = Faults::of(&world) else {
        return;
    };
    let ledger = bricked(&world, 100_000);
    let record = ledger.record(&world);
    let flow = Flow::begin(&world, ledger.canister);
    let patient = ledger.canister.to_text();
    for method in ["rollback", "start"] {
        flow.backup();
        lose_reply(&flow, &world, &faults, method, &["rollback", &patient]);
        assert_eq!(ledger.record(&world), record, "{method}");
        let rescue = flow.rescue().canister.to_text();
        let again = Cli::new(&world, &[&"rollback", &patient, &"--rescue", &rescue]);
        assert!(again.succeed().contains("went back before"), "{method}");
        // A stopped canister is not left by accident, and the refusal says how it is left on purpose.
        world
            .pic
            .stop_canister(ledger.canister, Some(world.operator.principal))
            .unwrap();
        let close = Cli::new(&world, &[&"close", &patient, &"--rescue", &rescue]);
        let told = close.fail();
        assert!(told.contains("--leave-as-is"), "{told}");
        world
            .pic
            .start_canister(ledger.canister, Some(world.operator.principal))
            .unwrap();
        let close = ["close", &patient, "--delete-snapshot"];
        lose_reply(&flow, &world, &faults, "close", &close);
        assert!(world.snapshots(ledger.canister).is_empty(), "{method}");
    }
    // And once more, as after a kill.
    let rescue = flow.rescue().canister.to_text();
    let again = Cli::new(&world, &[&"close", &patient, &"--rescue", &rescue]);
    let told = again.succeed();
    assert!(told.contains("is closed"), "{told}");
}
