//! Broken modules, each of which must fail the rule it breaks and no other.

use super::*;
use crate::pair::Kind;

const DID: &str = "// One of each.\nservice : {\n  a : () -> (nat64) query; // reads\n  b : (offset : nat64, data : blob) -> ();\n};\n";

/// What a module that breaks nothing is made of; a test replaces one part.
struct Parts {
    imports: &'static str,
    memory: &'static str,
    exports: &'static str,
    body: &'static str,
    marker: &'static str,
    candid: String,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            imports: r#"(import "ic0" "msg_reply" (func $reply)) (import "ic0" "stable64_grow" (func (param i64) (result i64)))"#,
            memory: "(memory 0)",
            exports: r#"(export "canister_query a" (func $f)) (export "canister_update b" (func $f))"#,
            body: "",
            marker: r#"(@custom "icp:private enhanced-orthogonal-persistence" "")"#,
            candid: candid_section(DID),
        }
    }
}

fn candid_section(did: &str) -> String {
    format!(
        r#"(@custom "icp:public candid:service" "{}")"#,
        did.escape_default()
    )
}

fn module(parts: &Parts) -> Vec<u8> {
    let Parts {
        imports,
        memory,
        exports,
        body,
        marker,
        candid,
    } = parts;
    wat::parse_str(format!(
        "(module {imports} {memory} (func $f (call $reply)) {exports} {body} {marker} {candid})"
    ))
    .unwrap()
}

fn findings(parts: &Parts) -> Vec<Finding> {
    inspect(Kind::Uploader, &module(parts), DID).unwrap_err()
}

#[test]
fn a_module_that_keeps_its_promises_is_reported() {
    let wasm = module(&Parts::default());
    let report = inspect(Kind::Uploader, &wasm, DID).unwrap();
    assert_eq!(report.len_bytes, wasm.len() as u64);
    assert_eq!(report.imports, ["msg_reply", "stable64_grow"]);
    assert_eq!(report.exports, ["canister_query a", "canister_update b"]);
}

#[test]
fn bytes_that_are_no_module_are_found() {
    let found = inspect(Kind::Uploader, b"\0asm\x01\0\0\0\xff", DID).unwrap_err();
    assert!(matches!(found[..], [Finding::Invalid(_)]), "{found:?}");
}

#[test]
fn a_module_above_its_budget_is_found() {
    let text = DID.replace("offset", &"o".repeat(10_240));
    let wasm = module(&Parts {
        candid: candid_section(&text),
        ..Parts::default()
    });
    let found = inspect(Kind::Uploader, &wasm, &text).unwrap_err();
    assert!(
        matches!(
            found[..],
            [Finding::TooLarge {
                limit_bytes: 10_240,
                ..
            }]
        ),
        "{found:?}"
    );
}

#[test]
fn an_import_that_writes_is_found_in_the_downloader() {
    let found = inspect(Kind::Downloader, &module(&Parts::default()), DID).unwrap_err();
    let name = "stable64_grow".to_string();
    assert_eq!(
        found,
        [Finding::ImportNotAllowed {
            module: "ic0".into(),
            name
        }]
    );
}

#[test]
fn every_import_that_acts_on_the_world_is_found() {
    for name in [
        "call_new",
        "call_perform",
        "msg_cycles_accept128",
        "certified_data_set",
        "global_timer_set",
        "cycles_burn128",
        "accept_message",
        "msg_reject",
        "debug_print",
        "stable_write",
    ] {
        let text =
            format!(r#"(import "ic0" "msg_reply" (func $reply)) (import "ic0" "{name}" (func))"#);
        let found = findings(&Parts {
            imports: text.leak(),
            ..Parts::default()
        });
        assert_eq!(
            found,
            [Finding::ImportNotAllowed {
                module: "ic0".into(),
                name: name.into()
            }]
        );
    }
}

#[test]
fn an_import_of_another_module_is_found() {
    let imports = r#"(import "env" "msg_reply" (func $reply))"#;
    let found = findings(&Parts {
        imports,
        ..Parts::default()
    });
    let name = "msg_reply".to_string();
    assert_eq!(
        found,
        [Finding::ImportNotAllowed {
            module: "env".into(),
            name
        }]
    );
}

#[test]
fn a_missing_method_is_found() {
    let exports = r#"(export "canister_query a" (func $f))"#;
    let found = findings(&Parts {
        exports,
        ..Parts::default()
    });
    assert_eq!(found, [Finding::ExportMissing("canister_update b".into())]);
}

#[test]
fn a_query_exported_as_an_update_is_found() {
    let exports =
        r#"(export "canister_update a" (func $f)) (export "canister_update b" (func $f))"#;
    let found = findings(&Parts {
        exports,
        ..Parts::default()
    });
    let missing = Finding::ExportMissing("canister_query a".into());
    assert_eq!(
        found,
        [missing, Finding::ExportUnknown("canister_update a".into())]
    );
}

#[test]
fn every_hook_and_every_other_export_is_found() {
    for name in [
        "canister_init",
        "canister_post_upgrade",
        "canister_pre_upgrade",
        "canister_heartbeat",
        "memory_fill",
    ] {
        let body = format!(r#"(export "{name}" (func $f))"#).leak();
        let found = findings(&Parts {
            body,
            ..Parts::default()
        });
        assert_eq!(found, [Finding::ExportUnknown(name.into())]);
    }
}

#[test]
fn an_export_that_is_no_function_is_found() {
    let memory = r#"(memory (export "memory") 0)"#;
    let found = findings(&Parts {
        memory,
        ..Parts::default()
    });
    let (no_function, unknown) = (Finding::ExportNotFunction, Finding::ExportUnknown);
    assert_eq!(
        found,
        [no_function("memory".into()), unknown("memory".into())]
    );
    let exports =
        r#"(export "canister_query a" (func $f)) (export "canister_update b" (memory 0))"#;
    let found = findings(&Parts {
        exports,
        ..Parts::default()
    });
    assert_eq!(found, [no_function("canister_update b".into())]);
}

#[test]
fn an_import_that_is_no_function_is_found() {
    let allowed = r#"(import "ic0" "msg_reply" (func $reply))"#;
    for (import, memory) in [
        (r#"(import "ic0" "trap" (global (mut i32)))"#, "(memory 0)"),
        (r#"(import "ic0" "trap" (table 1 funcref))"#, "(memory 0)"),
        (r#"(import "ic0" "trap" (memory 0))"#, ""),
    ] {
        let found = findings(&Parts {
            imports: format!("{allowed} {import}").leak(),
            memory,
            ..Parts::default()
        });
        let not_function = Finding::ImportNotFunction {
            module: "ic0".into(),
            name: "trap".into(),
        };
        assert_eq!(found, [not_function]);
    }
}

#[test]
fn a_second_memory_is_found() {
    let found = findings(&Parts {
        memory: "(memory 0) (memory 0)",
        ..Parts::default()
    });
    assert_eq!(found, [Finding::MemoryCount(2)]);
}

/// Also where only a comment differs: who compares the metadata compares bytes.
#[test]
fn an_interface_with_another_comment_is_found() {
    let candid = candid_section(&DID.replace("reads", "writes"));
    let found = findings(&Parts {
        candid,
        ..Parts::default()
    });
    assert_eq!(found, [Finding::CandidDiffers]);
}

#[test]
fn an_active_data_segment_is_found_and_a_passive_one_is_not() {
    let body = r#"(data "passive") (data (i32.const 0) "active")"#;
    let found = findings(&Parts {
        body,
        ..Parts::default()
    });
    assert_eq!(found, [Finding::ActiveData(1)]);
}

#[test]
fn a_start_function_is_found() {
    let found = findings(&Parts {
        body: "(start $f)",
        ..Parts::default()
    });
    assert_eq!(found, [Finding::Start]);
}

#[test]
fn a_table_and_its_elements_are_found() {
    let body = "(table 1 funcref) (elem (i32.const 0) $f)";
    let found = findings(&Parts {
        body,
        ..Parts::default()
    });
    assert_eq!(found, [Finding::Table, Finding::Elements(0)]);
}

#[test]
fn globals_are_found() {
    let body = "(global i32 (i32.const 1)) (global (mut i64) (i64.const 1))";
    let found = findings(&Parts {
        body,
        ..Parts::default()
    });
    let global = |index, mutable| Finding::Global { index, mutable };
    assert_eq!(found, [global(0, false), global(1, true)]);
}

#[test]
fn a_module_without_memory_is_found() {
    let found = findings(&Parts {
        memory: "",
        ..Parts::default()
    });
    assert_eq!(found, [Finding::MemoryCount(0)]);
}

#[test]
fn a_memory_with_limits_is_found() {
    let found = findings(&Parts {
        memory: "(memory 1 17)",
        ..Parts::default()
    });
    assert_eq!(
        found,
        [Finding::MemoryMinimum(1), Finding::MemoryMaximum(17)]
    );
}

#[test]
fn a_memory_of_the_other_width_is_found() {
    let memory = "(memory i64 0)";
    let found = findings(&Parts {
        memory,
        ..Parts::default()
    });
    assert_eq!(
        found,
        [Finding::MemoryWidth {
            actual: 64,
            expected: 32
        }]
    );
    let wasm = module(&Parts {
        memory,
        ..Parts::default()
    });
    assert!(inspect(Kind::Uploader64, &wasm, DID).is_ok());
}

#[test]
fn a_marker_that_is_missing_or_doubled_is_found() {
    assert_eq!(
        findings(&Parts {
            marker: "",
            ..Parts::default()
        }),
        [Finding::Marker(0)]
    );
    let marker = r#"(@custom "icp:private enhanced-orthogonal-persistence" "") (@custom "icp:private enhanced-orthogonal-persistence" "")"#;
    assert_eq!(
        findings(&Parts {
            marker,
            ..Parts::default()
        }),
        [Finding::Marker(2)]
    );
    let marker = r#"(@custom "enhanced-orthogonal-persistence" "")"#;
    assert_eq!(
        findings(&Parts {
            marker,
            ..Parts::default()
        }),
        [Finding::Marker(0)]
    );
}

#[test]
fn an_interface_that_is_missing_or_differs_is_found() {
    let found = findings(&Parts {
        candid: String::new(),
        ..Parts::default()
    });
    assert_eq!(found, [Finding::CandidCount(0)]);
    let candid = candid_section(&DID.replace("blob", "text"));
    assert_eq!(
        findings(&Parts {
            candid,
            ..Parts::default()
        }),
        [Finding::CandidDiffers]
    );
}

#[test]
fn an_interface_that_cannot_be_read_is_found() {
    let did = "service : { a : () -> (nat64) composite_query; }";
    let wasm = module(&Parts {
        candid: candid_section(did),
        ..Parts::default()
    });
    let found = inspect(Kind::Uploader, &wasm, did).unwrap_err();
    assert!(
        matches!(found[..], [Finding::InterfaceUnreadable(_)]),
        "{found:?}"
    );
}
