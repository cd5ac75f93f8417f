//! Bytes that earlier versions wrote are read for ever: `golden/` keeps a value of each kind and version.
//!
//! A new version of a layout gets new files (`BLESS=1` writes those that are missing and touches no
//! other); the old ones stay and must decode to the same values.

mod simulation;

use std::borrow::Cow;
use std::path::PathBuf;

use candid::CandidType;
use ic_stable_structures::Storable;
use rescue::case::model::{Case, Memories, Operation, Pair, Pending, Stage};
use rescue::store::counters::Counters;
use rescue::store::journal::Entry;
use rescue::store::settings::Settings;
use rescue::store::versioned::{VERSION, Versioned};
use serde::de::DeserializeOwned;
use simulation::{DOWNLOADER, operator, placeholder};

fn check<T>(kind: &str, value: T)
where
    T: CandidType + DeserializeOwned + Clone + PartialEq + std::fmt::Debug,
{
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{kind}.v{VERSION}.bin"));
    let stored = Versioned(value);
    if std::env::var_os("BLESS").is_some() && !path.exists() {
        std::fs::write(&path, stored.to_bytes()).expect("a golden file is written");
    }
    let golden = std::fs::read(&path).expect("a golden file is there");
    assert_eq!(golden[0], VERSION, "{kind}");
    let read = Versioned::<T>::from_bytes(Cow::Owned(golden));
    assert_eq!(read, stored, "{kind}");
}

#[test]
fn a_case_of_version_1_is_read() {
    let operation = Operation::SwapIn {
        module: Pair::Downloader,
        memories: Memories::Keep,
    };
    let case = Case {
        pending: Some(Pending {
            operation,
            token: 3,
            actor: operator(),
            stage: Stage::Calling,
            since: 4,
            lease_until: 5,
            sender_version: 6,
            target: Some(DOWNLOADER),
            snapshots_before: Vec::new(),
        }),
        ..placeholder()
    };
    check("case", case);
}

#[test]
fn a_journal_entry_of_version_1_is_read() {
    let case = placeholder();
    check(
        "journal",
        Entry {
            at: 7,
            actor: operator(),
            operation: Some(Operation::Stop),
            event: "done".to_string(),
            detail: "detail".to_string(),
            phase: case.phase,
            in_doubt: None,
        },
    );
}

#[test]
fn settings_and_counters_of_version_1_are_read() {
    check("settings", Settings::default());
    check("counters", Counters::default());
}

#[test]
fn a_value_of_an_unknown_version_is_not_read() {
    let mut bytes = Versioned(Settings::default()).to_bytes().into_owned();
    bytes[0] = VERSION + 1;
    let read = std::panic::catch_unwind(|| {
        Versioned::<Settings>::from_bytes(Cow::Owned(bytes));
    });
    assert!(read.is_err());
}
