//! Opening backups and writing new ones: modules are checked, globals known or proven, the original stays.

#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use archive::manifest::Attestation;
use archive::provenance::{GlobalsFrom, ModuleCheck};
use archive::verify::verify;
use archive::{Backup, Shared};
use common::{
    Kept, SAVES, back_up, back_up_whole, engine, filled, notes, open, pre_upgrade, saved,
    stable_start,
};
use engine::ExecutionState;
use flate2::{Compression, write::GzEncoder};
use offline::patient::Given;
use offline::rehearse::{Check, Plan, rehearse, usual_heap};
use offline::save::{Content, save};
use offline::{Interface, OfflineError, Patient, Surroundings, call, interface, run};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

const RECORDS: [&[u8]; 2] = [b"one record", b" and another"];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn given(module: &[u8]) -> Given {
    Given {
        module: Some(module.to_vec()),
        ..Given::default()
    }
}

/// All files of a directory with their bytes.
fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

fn keep(target: &Path, patient: &Patient, ran: &offline::Ran) -> Result<(), OfflineError> {
    let content = Content {
        patient,
        state: &ran.state,
        stable: &ran.state.stable,
        with_heap: true,
        effects: &ran.effects,
        provenance: ran.provenance.clone(),
        now_ns: 1_757_000_002_000_000_000,
        tool_version: "0.1.0".into(),
    };
    save(target, content, &mut |_| {})
}

#[test]
fn a_run_leaves_a_new_sound_backup_and_the_old_one_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    back_up_whole(&old, &filled(&notes(SAVES), &RECORDS));
    let before = tree(&old);
    let patient = open(&old, Given::default()).unwrap();
    let ran = run(&engine(), &patient, pre_upgrade(&[], &[]), None).unwrap();
    keep(&new, &patient, &ran).unwrap();
    assert!(matches!(
        keep(&new, &patient, &ran),
        Err(OfflineError::TargetExists { .. })
    ));
    drop(patient);
    assert_eq!(tree(&old), before);

    let lock = Shared::existing(&new).unwrap();
    assert!(verify(&lock, &mut |_| {}).unwrap().is_sound());
    let backup = Backup::open(&lock).unwrap();
    let manifest = backup.manifest().unwrap();
    assert!(manifest.loadable_as_snapshot);
    assert_eq!(manifest.subject.attestation, Attestation::Received);
    let provenance = manifest.provenance.clone().unwrap();
    assert_eq!(provenance, ran.provenance);
    assert_eq!(provenance.module.check, ModuleCheck::Hash);
    let source = Shared::existing(&old).unwrap();
    let source = Backup::open(&source).unwrap();
    let root = |memory| {
        source
            .manifest()
            .unwrap()
            .memory(memory)
            .unwrap()
            .root
            .clone()
    };
    assert_eq!(
        provenance.source.heap_root,
        Some(root(archive::Memory::Heap))
    );
    drop(lock);

    // And it can be run itself.
    let patient = open(&new, Given::default()).unwrap();
    let expected = saved(&RECORDS);
    assert_eq!(stable_start(&patient.state, expected.len()), expected);
}

#[test]
fn an_interrupted_run_leaves_no_directory_of_the_final_name() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    back_up_whole(&old, &filled(&notes(SAVES), &RECORDS));
    let patient = open(&old, Given::default()).unwrap();
    let ran = run(&engine(), &patient, pre_upgrade(&[], &[]), None).unwrap();
    // What a killed process leaves: a directory under the other name, with a damaged image.
    let unfinished = folder.path().join("new.unfinished");
    back_up_whole(&unfinished, &filled(&notes(SAVES), &[b"something else"]));
    std::fs::write(unfinished.join("stable_memory.bin"), b"torn").unwrap();
    keep(&new, &patient, &ran).unwrap();
    assert!(!unfinished.exists());
    let lock = Shared::existing(&new).unwrap();
    assert!(verify(&lock, &mut |_| {}).unwrap().is_sound());
}

#[test]
fn only_the_module_that_was_installed_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let plain = notes(SAVES);
    let zipped = gzip(&plain);
    let state = filled(&plain, &RECORDS);
    let other = notes("(nop)");
    let case = |name: &str, installed: &[u8], with_module: bool, module: &[u8]| {
        let dir = folder.path().join(name);
        let kept = Kept {
            installed,
            with_module,
            with_globals: true,
        };
        back_up(&dir, &state, &kept);
        open(&dir, given(module)).map(|patient| patient.module.check)
    };
    assert_eq!(case("a", &plain, false, &plain).unwrap(), ModuleCheck::Hash);
    assert_eq!(
        case("b", &zipped, false, &zipped).unwrap(),
        ModuleCheck::Hash
    );
    assert_eq!(
        case("c", &plain, false, &zipped).unwrap(),
        ModuleCheck::Decompressed
    );
    assert_eq!(
        case("d", &zipped, true, &plain).unwrap(),
        ModuleCheck::Decompressed
    );
    // Compressed bytes cannot be had from plain ones: nothing proves that these are the same.
    let error = case("e", &zipped, false, &plain).unwrap_err();
    assert!(matches!(error, OfflineError::OtherModule { .. }));
    let error = case("f", &plain, true, &other).unwrap_err().to_string();
    assert!(error.contains("--force-module"), "{error}");
    let forced = Given {
        force_module: Some("same code, other name section".into()),
        ..given(&other)
    };
    let patient = open(&folder.path().join("f"), forced).unwrap();
    let reason = "same code, other name section".to_string();
    assert_eq!(patient.module.check, ModuleCheck::Forced(reason));
    // What was forced is not passed on as the canister's module.
    assert_eq!(patient.installed.as_deref(), Some(&plain[..]));
    let error = open(&folder.path().join("a"), Given::default()).unwrap_err();
    assert!(matches!(error, OfflineError::NoModule));
}

#[test]
fn globals_that_are_not_in_the_backup_must_be_provably_initial() {
    let folder = tempfile::tempdir().unwrap();
    let case = |name: &str, module: Vec<u8>| {
        let dir = folder.path().join(name);
        let kept = Kept {
            installed: &module,
            with_module: true,
            with_globals: false,
        };
        back_up(&dir, &filled(&module, &RECORDS), &kept);
        open(&dir, Given::default())
    };
    // A function of the text moves the global and does not put it back.
    let error = case("moved", notes(SAVES)).unwrap_err().to_string();
    assert!(error.contains("does not put a global back"), "{error}");
    let resting = common::notes_text(SAVES).replace(
        "(global.set $sp (i32.add (global.get $sp) (i32.const 1)))",
        "(global.set $sp (i32.sub (i32.add (global.get $sp) (i32.const 1)) (i32.const 1)))",
    );
    let patient = case("resting", wat::parse_str(resting).unwrap()).unwrap();
    assert_eq!(patient.globals, GlobalsFrom::InitialProven);
}

#[test]
fn methods_answer_over_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    back_up_whole(folder.path(), &filled(&notes(SAVES), &RECORDS));
    let patient = open(folder.path(), Given::default()).unwrap();
    let surroundings = Surroundings {
        caller: patient.canister,
        ..Surroundings::default()
    };
    let ask = |state: &ExecutionState, method: &str, arg: &[u8]| {
        let env = surroundings.env(&patient);
        call::call(
            &engine(),
            state,
            (method, arg.to_vec()),
            &env,
            &engine::Limits::unbounded(),
        )
    };
    assert_eq!(
        ask(&patient.state, "get", b"").unwrap().reply,
        RECORDS.concat()
    );
    assert_eq!(ask(&patient.state, "who", b"").unwrap().reply, [10]);
    let after = ask(&patient.state, "put", b"!").unwrap().state;
    assert_eq!(
        ask(&after, "get", b"").unwrap().reply,
        b"one record and another!"
    );
    assert_eq!(
        ask(&patient.state, "get", b"").unwrap().reply,
        RECORDS.concat()
    );
    let error = ask(&patient.state, "got", b"").unwrap_err().to_string();
    assert!(error.contains("it has: ask, get, put, who"), "{error}");
    let error = ask(&patient.state, "ask", b"").unwrap_err();
    assert!(matches!(error, OfflineError::Waits { .. }), "{error}");
}

#[test]
fn candid_text_follows_the_interface() {
    let folder = tempfile::tempdir().unwrap();
    let did = folder.path().join("service.did");
    std::fs::write(
        &did,
        "service : { list : (nat64, opt text) -> (vec record { id : nat64 }) query }",
    )
    .unwrap();
    let interface = Interface::of_file(&did).unwrap();
    let known = Some(&interface);
    assert!(interface.is_query("list").unwrap());
    let short = interface::encode(known, "list", "(5)").unwrap();
    assert_eq!(short, candid::encode_args((5_u64, None::<String>)).unwrap());
    let error = interface::encode(known, "list", "(5, null, 1)")
        .unwrap_err()
        .to_string();
    assert!(error.contains("3 values for 2 parameters"), "{error}");
    assert!(interface::encode(known, "list", "(\"x\")").is_err());

    #[derive(candid::CandidType)]
    struct Row {
        id: u64,
    }
    let reply = candid::encode_one(vec![Row { id: 7 }]).unwrap();
    let text = call::text_of(known, "list", &reply).unwrap();
    assert_eq!(text, "(vec { record { id = 7 : nat64 } })");
}

#[test]
fn a_rehearsal_tells_whether_an_upgrade_would_pass() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine();
    let rehearse_from = |name: &str, old: &[u8], skip_pre_upgrade: bool| {
        let dir = folder.path().join(name);
        back_up_whole(&dir, &filled(old, &RECORDS));
        let patient = open(&dir, Given::default()).unwrap();
        let new = engine.load_module(&notes(SAVES)).unwrap();
        let plan = Plan {
            heap: usual_heap(&patient.state.module, &new),
            new,
            argument: Vec::new(),
            skip_pre_upgrade,
            checks: vec![Check::parse("get")],
            surroundings: Surroundings::default(),
            interface: None,
        };
        rehearse(&engine, &patient, &plan, &mut |_| None).unwrap()
    };
    // The reply of `get` is no candid, so the check itself cannot be read: it counts as different.
    let sound = rehearse_from("sound", &notes(SAVES), false);
    assert!(sound.upgrades() && !sound.passes());
    let names: Vec<_> = sound
        .stages
        .iter()
        .map(|s| (s.upgrade, s.name.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            ("first", "canister_pre_upgrade"),
            ("first", "canister_post_upgrade"),
            ("second", "canister_pre_upgrade"),
            ("second", "canister_post_upgrade")
        ]
    );
    let upgraded = sound.upgraded.unwrap();
    let mut bytes = vec![0; 22];
    upgraded.heap.read(65_536, &mut bytes).unwrap();
    assert_eq!(bytes, RECORDS.concat());

    let trapping = rehearse_from("trapping", &notes("(call $give_up)"), false);
    assert!(!trapping.upgrades());
    assert_eq!(trapping.stages.len(), 1);
    assert!(
        trapping.stages[0]
            .failure
            .as_ref()
            .unwrap()
            .contains("the list is too long")
    );

    // Left out, the hook saves nothing: the upgrade passes, the records are gone.
    let skipped = rehearse_from("skipped", &notes("(call $give_up)"), true);
    assert!(skipped.upgrades());
    let mut bytes = vec![0; 22];
    skipped
        .upgraded
        .unwrap()
        .heap
        .read(65_536, &mut bytes)
        .unwrap();
    assert_eq!(bytes, [0; 22]);
}
