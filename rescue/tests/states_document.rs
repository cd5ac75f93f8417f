//! Holds `docs/STATES.md` equal to the code. `BLESS=1 cargo test -p rescue --test states_document`
//! writes its table anew.

mod simulation;

use rescue::case::model::{Attestation, Case, Held, Operation, Pair, Phase, Run, Snapshot};
use rescue::case::rules::{self, Consent, OPERATIONS};
use rescue_api::Refusal;
use serde_bytes::ByteBuf;
use simulation::{FINAL, OWN, placeholder};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/STATES.md");
const BEGIN: &str = "<!-- table: begin -->\n";
const END: &str = "<!-- table: end -->";

const MODULES: [(Held, &str); 4] = [
    (Held::Own, "own"),
    (Held::Pair(Pair::Downloader), "downloader"),
    (Held::Pair(Pair::Uploader), "uploader"),
    (Held::Final, "final"),
];
const RUNS: [(Run, &str); 3] = [
    (Run::Running, "R"),
    (Run::Stopping, "S"),
    (Run::Stopped, "T"),
];

/// A case in which every condition that is not the phase's own is met.
fn ready(module: Held, run: Run) -> Case {
    let mut case = Case {
        phase: Phase::Holding { module, run },
        final_hash: Some(FINAL),
        snapshot: Some(Snapshot {
            id: ByteBuf::from(vec![1]),
            taken_at: 0,
            total_bytes: 1,
            module_hash: Some(OWN),
            stable_bytes: 1,
            heap_bytes: 1,
            version: 1,
            deleted: false,
        }),
        ..placeholder()
    };
    for record in [&mut case.stable, &mut case.heap] {
        record.size_bytes = Some(1);
        record.recorded = 1;
        record.root = Some(OWN);
        record.attestation = Some(Attestation {
            checked: 1,
            done_at: Some(1),
            ..Attestation::default()
        });
    }
    case
}

fn cell(operation: Operation, module: Held, run: Run) -> &'static str {
    let case = ready(module, run);
    let bare = Case {
        snapshot: None,
        final_hash: None,
        stable: Default::default(),
        heap: Default::default(),
        ..case.clone()
    };
    let check = |case: &Case, consent| rules::check(case, operation, consent);
    match check(&case, Consent::default()) {
        Ok(()) if check(&bare, Consent::default()).is_ok() => "yes",
        Ok(()) => "if",
        Err(_) if check(&case, Consent::ALL).is_ok() => "ask",
        Err(Refusal::NotNow { .. }) => "",
        Err(other) => panic!("{operation:?} in {module:?} {run:?}: {other}"),
    }
}

fn table() -> String {
    let mut text = String::from("| step |");
    for (_, module) in MODULES {
        for (_, run) in RUNS {
            text.push_str(&format!(" {module} {run} |"));
        }
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(MODULES.len() * RUNS.len()));
    text.push('\n');
    for operation in OPERATIONS {
        text.push_str(&format!("| {} |", name(operation)));
        for (module, _) in MODULES {
            for (run, _) in RUNS {
                text.push_str(&format!(" {} |", cell(operation, module, run)));
            }
        }
        text.push('\n');
    }
    text
}

fn name(operation: Operation) -> String {
    match operation {
        Operation::SwapIn { module, memories } => format!("swap_in {module:?}, {memories:?}"),
        Operation::Checksum(memory) => format!("checksum {memory:?}"),
        Operation::Attest(memory) => format!("attest {memory:?}"),
        Operation::Install(heap) => format!("install, heap {heap:?}"),
        Operation::PutModuleChunk => "put_module_chunk".to_string(),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[test]
fn the_table_in_the_document_is_the_code_s() {
    let text = std::fs::read_to_string(DOCUMENT).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (written, tail) = rest.split_once(END).unwrap();
    let table = table();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(DOCUMENT, format!("{head}{BEGIN}{table}{END}{tail}")).unwrap();
        return;
    }
    assert_eq!(written, table, "run with BLESS=1 to write the table anew");
}

#[test]
fn what_is_closed_is_only_forgotten_and_what_is_foreign_is_decided() {
    let closed = Case {
        phase: Phase::Closed,
        ..ready(Held::Final, Run::Running)
    };
    assert_eq!(rules::possible(&closed), [Operation::Forget]);
    let foreign = Case {
        phase: Phase::Foreign {
            found: "something".to_string(),
            total_changes: 9,
        },
        ..ready(Held::Own, Run::Running)
    };
    assert_eq!(
        rules::possible(&foreign),
        [
            Operation::Rollback,
            Operation::Settle,
            Operation::Accept,
            Operation::Close
        ]
    );
}
