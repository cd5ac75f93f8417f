//! Which modules are refused, and with what words. Texts were recorded from a real server.

#![allow(clippy::unwrap_used)]

mod common;

use common::{module, refusal};
use engine::{GlobalValue, MemoryDecl, Method, Visibility};
use std::io::Write;

fn wat_refusal(wat: &str) -> (&'static str, String) {
    refusal(&wat::parse_str(wat).unwrap())
}

const TOOLCHAIN: &str = ".\nIf you are running this canister in a test environment (e.g., dfx), make sure the test environment is up to date. Otherwise, this is likely an error with the compiler/CDK toolchain being used to build the canister. Please report the error to IC devs on the forum: https://forum.dfinity.org and include which language/CDK was used to create the canister.";

fn with_section(name: &str, content: &[u8]) -> Vec<u8> {
    let mut wasm = wat::parse_str("(module)").unwrap();
    append_section(&mut wasm, name, content);
    wasm
}

fn append_section(wasm: &mut Vec<u8>, name: &str, content: &[u8]) {
    fn leb(mut number: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let byte = (number & 0x7f) as u8;
            number >>= 7;
            if number == 0 {
                bytes.push(byte);
                return bytes;
            }
            bytes.push(byte | 0x80);
        }
    }
    let mut payload = leb(name.len());
    payload.extend_from_slice(name.as_bytes());
    payload.extend_from_slice(content);
    wasm.push(0);
    wasm.extend(leb(payload.len()));
    wasm.extend(payload);
}

#[test]
fn bytes_that_are_no_module_are_refused() {
    let expected = format!(
        "Canister's Wasm module is not valid: Failed to decode wasm module: unsupported canister \
         module format{TOOLCHAIN}"
    );
    for bytes in [&b""[..], b"\0\x01\x02\x03"] {
        assert_eq!(refusal(bytes), ("CanisterInvalidWasm", expected.clone()));
    }
}

#[test]
fn a_truncated_module_is_refused() {
    let wasm = wat::parse_str("(module (func (nop)) (func (nop)))").unwrap();
    let (code, text) = refusal(&wasm[..wasm.len() - 9]);
    assert_eq!(code, "CanisterInvalidWasm");
    let prefix = "Canister's Wasm module is not valid: Failed to decode wasm module: Error \
                  finding code section: unexpected end-of-file ";
    assert!(text.starts_with(prefix), "{text}");
}

#[test]
fn validation_rules_have_the_recorded_texts() {
    let invalid = |rule: &str| format!("Canister's Wasm module is not valid: {rule}");
    let cases = [
        (
            "(module (import \"ic0\" \"nope\" (func)))",
            "Wasm module has an invalid import section. Module imports function 'nope' from \
             'ic0' that is not exported by the runtime.",
        ),
        (
            "(module (import \"ic0\" \"msg_reply\" (func (param i32))))",
            "Wasm module has an invalid function signature. Expected input params [] for \
             'msg_reply', got [I32].",
        ),
        (
            "(module (func $f (result i32) i32.const 0) (export \"canister_update a\" (func $f)))",
            "Wasm module has an invalid function signature. Expected return type [] for \
             'canister_update a', got [I32].",
        ),
        (
            "(module (func $f (param i32)) (export \"canister_init\" (func $f)))",
            "Wasm module has an invalid function signature. Expected input params [] for \
             'canister_init', got [I32].",
        ),
        (
            "(module (func $f) (export \"canister_foo bar\" (func $f)))",
            "Wasm module has an invalid export section. Exporting reserved function \
             'canister_foo bar' with \"canister_\" prefix",
        ),
    ];
    for (wat, rule) in cases {
        let expected = invalid(rule) + TOOLCHAIN;
        assert_eq!(wat_refusal(wat), ("CanisterInvalidWasm", expected));
    }
}

#[test]
fn rules_with_advice_have_the_recorded_texts() {
    let (code, text) = wat_refusal(
        "(module (func $f) (export \"canister_update a\" (func $f)) (export \"canister_query a\" (func $f)))",
    );
    assert_eq!(code, "CanisterInvalidWasm");
    assert_eq!(
        text,
        "Canister's Wasm module is not valid: Duplicate function 'a' exported multiple times with \
         different call types: update, query, or composite_query..\nTry defining different \
         versions of the function for each call type, e.g. `a_update`, `a_query`, etc. See \
         documentation: https://internetcomputer.org/docs/current/references/execution-errors#\
         wasm-module-duplicate-exports"
    );
    let globals = "(global (mut i32) (i32.const 0))".repeat(1001);
    let (_, text) = wat_refusal(&format!("(module {globals})"));
    let start = "Canister's Wasm module is not valid: Wasm module defined 1001 globals which \
                 exceeds the maximum number allowed 1000..\nTry collecting multiple globals into \
                 a single structured which can be stored on the heap. See documentation: ";
    assert!(text.starts_with(start), "{text}");
}

#[test]
fn language_validation_names_the_validator() {
    let prefix = "Canister's Wasm module is not valid: Wasmtime failed to validate wasm module \
                  wasmtime::Module::validate() failed with ";
    let cases: [(Vec<u8>, &str); 3] = [
        (
            wat::parse_str("(module (memory 1) (memory 1))").unwrap(),
            "multiple memories ",
        ),
        (
            b"\0asm\x01\0\0\0\x05\x04\x01\x01\x02\x01".to_vec(),
            "size minimum must not be greater than maximum ",
        ),
        (
            b"\0asm\x01\0\0\0\x05\x06\x01\0\x81\x80\x04\0".to_vec(),
            "memory size must be at most 0x10000 65536-byte pages ",
        ),
    ];
    for (wasm, reason) in cases {
        let (code, text) = refusal(&wasm);
        assert_eq!(code, "CanisterInvalidWasm");
        assert!(text.starts_with(&format!("{prefix}{reason}")), "{text}");
    }
}

#[test]
fn data_beyond_the_memory_is_refused_before_instantiation() {
    let (code, text) = wat_refusal("(module (memory 1) (data (i32.const 65530) \"0123456789\"))");
    assert_eq!(code, "CanisterInvalidWasm");
    let expected = "Could not instrument wasm module of canister: Wasm module has invalid data \
                    segment of 10 bytes at 65530";
    assert_eq!(text, format!("{expected}{TOOLCHAIN}"));
}

#[test]
fn elements_beyond_the_table_are_refused_at_instantiation() {
    let (code, text) =
        wat_refusal("(module (table 1 1 funcref) (func $f) (elem (i32.const 1) $f))");
    assert_eq!(code, "CanisterWasmEngineError");
    assert_eq!(
        text,
        "Canister encountered a Wasm engine error: Failed to instantiate module: wasm trap: \
         undefined element: out of bounds table access"
    );
}

#[test]
fn custom_sections_are_counted_and_bounded() {
    let mut wasm = wat::parse_str("(module)").unwrap();
    append_section(&mut wasm, "other", b"not counted");
    for i in 0..16 {
        append_section(&mut wasm, &format!("icp:private s{i}"), b"x");
    }
    let loaded = common::engine().load_module(&wasm).unwrap();
    assert_eq!(loaded.custom_sections().len(), 16);
    append_section(&mut wasm, "icp:public s16", b"");
    let (_, text) = refusal(&wasm);
    let expected = "Wasm module defined 17 custom sections which exceeds the maximum number \
                    allowed 16.";
    assert_eq!(
        text,
        format!("Canister's Wasm module is not valid: {expected}{TOOLCHAIN}")
    );
    let (_, text) = refusal(&with_section("icp:private big", &vec![0; 1 << 20]));
    assert!(
        text.contains("size 1048579 bytes, allowed 1048576 bytes"),
        "{text}"
    );
    let (_, text) = refusal(&with_section("icp:foo", b""));
    assert!(
        text.contains("'icp:foo' has no public/private scope defined."),
        "{text}"
    );
}

#[test]
fn the_marker_is_found_whatever_its_visibility() {
    for (name, marked) in [
        ("icp:private enhanced-orthogonal-persistence", true),
        ("icp:public enhanced-orthogonal-persistence", true),
        ("enhanced-orthogonal-persistence", false),
    ] {
        let wasm = with_section(name, b"");
        let loaded = common::engine().load_module(&wasm).unwrap();
        assert_eq!(loaded.has_marker(), marked, "{name}");
    }
    let mut twice = with_section("icp:private enhanced-orthogonal-persistence", b"");
    append_section(
        &mut twice,
        "icp:public enhanced-orthogonal-persistence",
        b"",
    );
    let (_, text) = refusal(&twice);
    assert!(
        text.contains(
            "Invalid custom section: name enhanced-orthogonal-persistence already exists"
        ),
        "{text}"
    );
}

#[test]
fn what_a_module_declares_is_told() {
    let loaded = module(
        r#"(module
            (memory 2 9)
            (global $a (mut i64) (i64.const -5))
            (global $b i32 (i32.const 6))
            (global $c (export "c") (mut f32) (f32.const 1))
            (global $d (export "d") i32 (i32.const 7))
            (func $f) (start $f)
            (export "canister_query q" (func $f))
            (export "canister_heartbeat" (func $f))
            (export "helper" (func $f)))"#,
    );
    let memory = MemoryDecl {
        minimum_pages: 2,
        maximum_pages: Some(9),
    };
    assert_eq!(loaded.memory(), Some(memory));
    assert!(!loaded.is_wasm64());
    assert_eq!(
        loaded.methods(),
        [Method::query("q"), Method::Heartbeat, Method::Start]
    );
    assert!(!loaded.exports(&Method::update("q")));
    // Exported ones first, hidden ones only when they are mutable.
    assert_eq!(
        loaded.initial_globals(),
        [
            GlobalValue::F32(1f32.to_bits()),
            GlobalValue::I32(7),
            GlobalValue::I64(-5)
        ]
    );
    let mutable: Vec<bool> = loaded
        .global_types_for_snapshot()
        .iter()
        .map(|ty| ty.mutable)
        .collect();
    assert_eq!(mutable, [true, false, true]);
}

#[test]
fn a_compressed_module_keeps_the_hash_of_its_bytes() {
    let wasm = wat::parse_str("(module (memory 1))").unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&wasm).unwrap();
    let compressed = encoder.finish().unwrap();
    let loaded = common::engine().load_module(&compressed).unwrap();
    assert_eq!(loaded.bytes(), compressed);
    assert_eq!(loaded.wasm_bytes(), wasm);
    let plain = common::engine().load_module(&wasm).unwrap();
    assert_ne!(loaded.hash(), plain.hash());
    let mut wrong_length = compressed.clone();
    let last = wrong_length.len() - 4;
    wrong_length[last] ^= 1;
    let (code, _) = refusal(&wrong_length);
    assert_eq!(code, "CanisterInvalidWasm");
}

#[test]
fn sections_keep_visibility_and_content() {
    let wasm = with_section("icp:public candid:service", b"service : {}");
    let loaded = common::engine().load_module(&wasm).unwrap();
    let section = &loaded.custom_sections()["candid:service"];
    assert_eq!(section.visibility, Visibility::Public);
    assert_eq!(section.content, b"service : {}");
}

#[test]
fn compiling_costs_six_thousand_per_instruction_of_the_metered_module() {
    let small = module("(module (func $f (nop)))").compile_cost_instructions();
    let larger = module("(module (func $f (nop) (nop) (nop)))").compile_cost_instructions();
    assert_eq!(larger - small, 2 * 6_000);
    // A loop entry is metered with ten instructions, a block with four.
    let looped = module("(module (func $f (nop) (loop (nop))))").compile_cost_instructions();
    assert_eq!(looped - small, (3 + 10) * 6_000);
}

#[test]
fn a_function_may_be_referred_to_by_its_export_alone() {
    module(
        r#"(module (func $f) (export "f" (func $f)) (table 1 funcref)
            (func (export "canister_update u") (drop (ref.func $f))))"#,
    );
}
