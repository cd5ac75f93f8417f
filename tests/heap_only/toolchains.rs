//! Patched modules of all kinds are accepted by the server, and their canisters go on.

use flate2::{Compression, write::GzEncoder};
use ic_management_canister_types::WasmMemoryPersistence::Keep;
use std::io::Write;
use tests::cli::Cli;
use tests::{World, wasms};

/// A canister that counts in its heap.
fn counter(memory: &str, width: &str, more: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param {width} {width})))
            {memory}
            (func (export "canister_pre_upgrade") unreachable)
            (func (export "canister_post_upgrade") (i32.store ({width}.const 64) (i32.const 0)))
            (func (export "canister_update tick")
                (i32.store ({width}.const 64)
                    (i32.add (i32.load ({width}.const 64)) (i32.const 1)))
                (call $reply))
            (func (export "canister_query read")
                (call $append ({width}.const 64) ({width}.const 4)) (call $reply))
            {more})"#
    ))
    .unwrap()
}

fn sections(count: usize) -> String {
    (0..count)
        .map(|index| format!("(@custom \"icp:public s{index}\" \"{index}\")"))
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn the_server_accepts_patched_modules_of_all_kinds() {
    let world = World::new();
    let operator = world.operator.principal;
    let simd = "(func (export \"canister_query s\") (result) (drop (i8x16.swizzle (v128.const i64x2 1 2) (v128.const i64x2 3 4))))";
    let plain = counter("(memory 1)", "i32", "");
    for (kind, module) in [
        ("plain", plain.clone()),
        ("gzipped", gzip(&plain)),
        ("SIMD", counter("(memory 1)", "i32", simd)),
        ("wasm64", counter("(memory i64 1)", "i64", "")),
        (
            "15 custom sections",
            counter("(memory 1)", "i32", &sections(15)),
        ),
        (
            "data and table",
            counter(
                "(memory 2)",
                "i32",
                "(table 2 funcref) (elem (i32.const 0) $f) (func $f) (data (i32.const 70000) \"static\") (data \"passive\")",
            ),
        ),
    ] {
        let canister = world.install(module.clone(), vec![]);
        for _ in 0..3 {
            world
                .pic
                .update_call(canister, operator, "tick", vec![])
                .unwrap();
        }
        let (given, patched) = (
            world.folder.path().join(format!("{kind}.wasm")),
            world.folder.path().join(format!("{kind} patched.wasm")),
        );
        std::fs::write(&given, &module).unwrap();
        Cli::offline(&[&"patch", &given, &"-o", &patched]).succeed();
        let patched = std::fs::read(patched).unwrap();
        world
            .upgrade_with(canister, patched, true, Keep)
            .unwrap_or_else(|refusal| panic!("{kind}: {}", refusal.reject_message));
        let read = world
            .pic
            .query_call(canister, operator, "read", vec![])
            .unwrap();
        assert_eq!(read, 3_u32.to_le_bytes(), "{kind}");
    }
}

#[test]
fn the_modules_of_this_project_are_patched_and_accepted() {
    let world = World::new();
    for name in [
        "patients/endpoints",
        "patients/ledger_hook_panics",
        "patients/hoard",
        "rescue",
    ] {
        let given = wasms::folder().join(format!("{name}.wasm"));
        let patched = world.folder.path().join("patched.wasm");
        let said = Cli::offline(&[&"patch", &given, &"-o", &patched]).succeed();
        assert!(said.contains("identical, in bytes: types"), "{said}");
        let layout = Cli::offline(&[&"layout", &given, &patched]).succeed();
        assert!(layout.contains("same layout"), "{layout}");
        let module = std::fs::read(&patched).unwrap();
        std::fs::remove_file(&patched).unwrap();
        let arg = candid::encode_args((None::<u8>,)).unwrap();
        world.install(module, arg);
    }
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let given = wasms::folder().join("patients/hoard.wasm");
    let target = folder.path().join("patched.wasm");
    std::fs::write(&target, b"something else").unwrap();
    let said = Cli::offline(&[&"patch", &given, &"-o", &target]).fail();
    assert!(said.contains("it is there already"), "{said}");
    assert_eq!(std::fs::read(&target).unwrap(), b"something else");
    std::fs::remove_file(&target).unwrap();
    Cli::offline(&[&"patch", &given, &"-o", &target]).succeed();
    Cli::offline(&[&"patch", &given, &"-o", &target]).succeed();
}

#[test]
fn the_verdict_on_two_layouts_is_an_exit_code_and_json_too() {
    let [first, other] = ["hoard", "hoard_rebuilt"].map(crate::file);
    for (second, code, verdict) in [(&first, 0, "same layout"), (&other, 3, "differs")] {
        let output = Cli::offline(&[&"layout", &first, second, &"--json", &"--quiet"]).run();
        assert_eq!(output.status.code(), Some(code));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["type"], "layout");
        assert_eq!(report["verdict"], verdict);
        let counted = report["counts"].as_array().unwrap().is_empty();
        assert_eq!(counted, code == 0);
        assert!(
            report["cannot_know"]
                .as_str()
                .unwrap()
                .contains("cannot know")
        );
    }
}
