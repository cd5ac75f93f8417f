//! What stands in a hook's way is found one after the other, and the rules that lift all of it are named.

#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use common::{SAVES, back_up_whole, engine, filled, notes, open, saved, stable_start};
use engine::{ExecutionState, StableMemory};
use offline::patient::Given;
use offline::prognosis::{Question, prognosis};
use offline::{Patient, Prognosis, Ran, Rules, Surroundings, Trouble};

const RECORDS: [&[u8]; 2] = [b"one record", b" and another"];
/// Calls where that is forbidden, and gives up unless the call seems to have been accepted.
const CALLS: &str = "(call $call_new (i32.const 32) (i32.const 0) (i32.const 32) (i32.const 3)
       (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
     (if (call $call_perform) (then (call $give_up)))";
/// Writes through the 32-bit interface.
const NARROW: &str = "(i64.store (i32.const 8) (i64.extend_i32_u (i32.load (i32.const 0))))
     (call $stable_write (i32.const 0) (i32.const 8) (i32.const 8))
     (call $stable_write (i32.const 8) (i32.const 65536) (i32.load (i32.const 0)))";

/// What is found out about a hook over a state with so much stable memory.
fn found(hook: &str, stable: StableMemory, rules: &[&str]) -> (Prognosis, Vec<Vec<u8>>) {
    let dir = tempfile::tempdir().unwrap();
    let state: ExecutionState = filled(&notes(hook), &RECORDS);
    back_up_whole(dir.path(), &state);
    let mut patient: Patient = open(dir.path(), Given::default()).unwrap();
    // Too large to be backed up in a test's memory.
    patient.state.stable = stable;
    let rules: Vec<String> = rules.iter().map(ToString::to_string).collect();
    let question = Question {
        surroundings: Surroundings::default(),
        rules: Rules::parse(&rules, &[]).unwrap(),
        trouble: None,
    };
    let mut left = Vec::new();
    let mut judge = |ran: &Ran| {
        left.push(stable_start(&ran.state, saved(&RECORDS).len()));
        Ok(None)
    };
    let mut trying = |_: &[String]| None;
    let found = prognosis(&engine(), &patient, &question, &mut trying, &mut judge).unwrap();
    (found, left)
}

fn options(found: &Prognosis) -> Vec<String> {
    let ways = found.ways.iter();
    ways.map(|way| way.options.join(" ")).collect()
}

#[test]
fn trouble_behind_trouble_is_found() {
    let hook = format!("{CALLS} {NARROW}");
    let outgrown = StableMemory::zeroed(70_000).unwrap();
    let (found, left) = found(&hook, outgrown, &[]);
    let forbidden = Trouble::Forbidden {
        function: "call_new".to_string(),
    };
    assert_eq!(found.trouble, Some(forbidden));
    assert_eq!(
        options(&found),
        ["low", "fresh", "separate"]
            .map(|choice| format!("--rule stable32={choice} --answer call=0"))
    );
    assert!(found.dead_ends.is_empty());
    let expected = saved(&RECORDS);
    assert_eq!(left[..2], [expected.clone(), expected.clone()]);
    assert_eq!(left[2], vec![0; expected.len()], "separate leaves it alone");
}

#[test]
fn what_no_rule_lifts_is_a_dead_end_with_what_was_tried() {
    let hook = format!("{CALLS} (call $give_up)");
    let (found, _) = found(&hook, StableMemory::new(), &[]);
    assert!(found.ways.is_empty());
    let [end] = &found.dead_ends[..] else {
        panic!("{found:?}");
    };
    assert_eq!(end.options, ["--answer call=0"]);
    let message = "the list is too long".to_string();
    assert_eq!(end.trouble, Trouble::GivesUp { message });
}

#[test]
fn a_hook_that_only_lacks_room_needs_no_choice() {
    let hook = SAVES.replace("(drop (call $stable64_grow (i64.const 1)))", "");
    let (as_usual, left) = found(&hook, StableMemory::new(), &[]);
    assert_eq!(as_usual.trouble, None);
    assert_eq!(options(&as_usual), [""]);
    assert_eq!(as_usual.ways[0].not_as_on_chain, ["stable=grows (1)"]);
    assert_eq!(left, [saved(&RECORDS)]);
    let (as_on_chain, _) = found_fixed(&hook);
    assert_eq!(as_on_chain.trouble, Some(Trouble::StableEnd));
    assert_eq!(options(&as_on_chain), ["--rule stable=grows"]);
}

fn found_fixed(hook: &str) -> (Prognosis, Vec<Vec<u8>>) {
    found(hook, StableMemory::new(), &["stable=fixed"])
}

#[test]
fn a_hook_that_asks_for_more_heap_than_there_is_runs_out_of_memory() {
    let hook = "(if (i32.eq (memory.grow (i32.const 65535)) (i32.const -1)) (then unreachable))";
    let (found, _) = found(hook, StableMemory::new(), &[]);
    assert!(found.ways.is_empty());
    let heap_bytes = 4 * engine::WASM_PAGE_BYTES;
    assert_eq!(found.trouble, Some(Trouble::HeapFull { heap_bytes }));
}

#[test]
fn a_limit_that_was_given_is_not_lifted() {
    let hook = "(loop $again (br $again))";
    let (found, _) = found(hook, StableMemory::new(), &["instructions=1_000_000"]);
    assert!(found.ways.is_empty());
    let limit = 1_000_000;
    assert_eq!(found.trouble, Some(Trouble::Instructions { limit }));
}
