//! The modules of the observations, as small as they can be.

use crate::lab::Module;

/// The custom section that lets a module keep a heap.
pub const MARKER: &str = "icp:private enhanced-orthogonal-persistence";
/// What a pattern's words are made of.
const FACTOR: u32 = 2_654_435_761;
/// Bytes of a WebAssembly page.
pub const PAGE: usize = 65_536;

/// Assembles a text; the name stands for it in transcripts.
pub fn wat(name: &str, text: &str) -> Module {
    let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    Module::new(name, bytes)
}

/// The module with a custom section at its end.
pub fn with_section(module: &Module, section: &str, content: &[u8]) -> Module {
    let mut body = Vec::new();
    push_leb(&mut body, section.len());
    body.extend_from_slice(section.as_bytes());
    body.extend_from_slice(content);
    let mut bytes = module.bytes.clone();
    bytes.push(0);
    push_leb(&mut bytes, body.len());
    bytes.extend_from_slice(&body);
    Module::new(format!("{} + {section}", module.name), bytes)
}

/// The module with the marker at its end.
pub fn marked(module: &Module) -> Module {
    Module {
        name: format!("{} marked", module.name),
        ..with_section(module, MARKER, b"")
    }
}

fn push_leb(bytes: &mut Vec<u8>, mut value: usize) {
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// The module with an export renamed to nothing special: the same length, so everything else stays where it is.
pub fn without_hook(module: &Module, hook: &str) -> Module {
    let mut bytes = module.bytes.clone();
    let mut named = vec![hook.len() as u8];
    named.extend_from_slice(hook.as_bytes());
    let at = bytes
        .windows(named.len())
        .position(|window| window == named)
        .unwrap_or_else(|| panic!("{} exports no {hook}", module.name));
    bytes[at + 1] = b'x';
    Module::new(format!("{} without {hook}", module.name), bytes)
}

/// A patient with a heap of four pages full of a pattern, two pages of stable memory, a global that moved from 7 to 8,
/// and `hook` as the body of its `pre_upgrade`.
pub fn patient(hook: &str) -> Module {
    wat(
        &format!("patient[{hook}]"),
        &format!(
            r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
            (import "ic0" "stable64_grow" (func $stable_grow (param i64) (result i64)))
            (import "ic0" "stable64_write" (func $stable_write (param i64 i64 i64)))
            (import "ic0" "global_timer_set" (func $timer (param i64) (result i64)))
            (import "ic0" "canister_version" (func $version (result i64)))
            (import "ic0" "trap" (func $trap (param i32 i32)))
            (memory 4)
            (global $moved (mut i64) (i64.const 7))
            (func (export "canister_init") (local $at i32)
                (loop $next
                    (i32.store (local.get $at)
                        (i32.mul (i32.add (local.get $at) (i32.const 1)) (i32.const {factor})))
                    (local.set $at (i32.add (local.get $at) (i32.const 4)))
                    (br_if $next (i32.lt_u (local.get $at) (i32.const {len}))))
                (global.set $moved (i64.const 8))
                (drop (call $stable_grow (i64.const 2)))
                (call $stable_write (i64.const 1000) (i64.const 0) (i64.const 100000)))
            (func (export "canister_pre_upgrade") {hook})
            (func $heap
                (call $append (i32.const 0) (i32.mul (memory.size) (i32.const {PAGE})))
                (call $reply))
            (func (export "canister_query heap") (call $heap))
            (func (export "canister_query global")
                (i64.store (i32.const 0) (global.get $moved))
                (call $append (i32.const 0) (i32.const 8))
                (call $reply))
            (func (export "canister_update touch")
                (i32.store (i32.const 0) (i32.const 0x01020304))
                (call $reply))
            (func (export "canister_update arm")
                (drop (call $timer (i64.const 1)))
                (call $reply))
            (func (export "canister_global_timer") (i32.store (i32.const 4) (i32.const -1))))"#,
            factor = FACTOR as i32,
            len = 4 * PAGE,
        ),
    )
}

/// The heap of the [`patient`] after its installation.
pub fn pattern() -> Vec<u8> {
    (0..4 * PAGE as u32)
        .step_by(4)
        .flat_map(|at| (at + 1).wrapping_mul(FACTOR).to_le_bytes())
        .collect()
}

/// A marked module of 32 bits that shows a heap: with this memory declaration and these further definitions.
///
/// Queries: `heap` (all of it), `pages`, `grow` (what growing by a page gives), `global` (41 in a fresh instance).
pub fn reader(memory: &str, more: &str) -> Module {
    let name = format!(
        "reader[{memory}{}{more}]",
        if more.is_empty() { "" } else { " " }
    );
    let module = wat(
        &name,
        &format!(
            r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
            {memory}
            (global $fresh (mut i64) (i64.const 41))
            (func $number (param i64)
                (i64.store (i32.const 0) (local.get 0))
                (call $append (i32.const 0) (i32.const 8))
                (call $reply))
            (func (export "canister_query heap")
                (call $append (i32.const 0) (i32.mul (memory.size) (i32.const {PAGE})))
                (call $reply))
            (func (export "canister_query pages") (local $pages i32)
                (local.set $pages (memory.size))
                (if (i32.eqz (local.get $pages)) (then (drop (memory.grow (i32.const 1)))))
                (call $number (i64.extend_i32_u (local.get $pages))))
            (func (export "canister_query grow")
                (call $number (i64.extend_i32_s (memory.grow (i32.const 1)))))
            (func (export "canister_query global") (call $number (global.get $fresh)))
            {more})"#
        ),
    );
    Module {
        name,
        ..marked(&module)
    }
}

/// The same with 64-bit addresses.
pub fn reader_64() -> Module {
    let module = wat(
        "reader of 64 bits",
        r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param i64 i64)))
            (memory i64 0)
            (func (export "canister_query heap")
                (call $append (i64.const 0) (i64.mul (memory.size) (i64.const 65536)))
                (call $reply)))"#,
    );
    Module {
        name: "reader of 64 bits".to_owned(),
        ..marked(&module)
    }
}

/// A marked module that declares no memory; its only method is the query `ping`.
pub fn no_memory() -> Module {
    let module = wat(
        "no memory",
        r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (func (export "canister_query ping") (call $reply)))"#,
    );
    Module {
        name: "no memory".to_owned(),
        ..marked(&module)
    }
}

/// Compresses a module.
pub fn gzip(module: &Module) -> Module {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&module.bytes).unwrap();
    Module::new(
        format!("{} gzipped", module.name),
        encoder.finish().unwrap(),
    )
}
