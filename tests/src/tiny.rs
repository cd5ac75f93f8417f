//! Small patients in text form: two memories full of known bytes and a hook that traps. They install in a
//! round, so that a scenario can afford hundreds of them.

use crate::World;
use candid::Principal;
use pocket_ic::CanisterSettings;
use wire::limits::PAGE_LEN_BYTES;

/// Multiplies an address into the eight bytes that lie there.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Pages of either memory that are full.
pub const FULL_PAGES: u64 = 2;

/// A patient whose `pre_upgrade` traps. Its `canister_init` fills the first pages of its heap and as many
/// of stable memory; `heap_pages` is what its heap declares, `wide` gives it 64-bit addresses. It answers
/// the query `own`.
///
/// # Panics
/// If the text is no module.
pub fn patient(heap_pages: u64, wide: bool) -> Vec<u8> {
    let hook = "(func (export \"canister_pre_upgrade\") unreachable)";
    module(heap_pages, wide, hook, "own")
}

/// What the patient is upgraded to in the end: the same without the hook. It answers the query `name`.
pub fn healthy(name: &str) -> Vec<u8> {
    module(FULL_PAGES, false, "", name)
}

fn module(heap_pages: u64, wide: bool, hook: &str, name: &str) -> Vec<u8> {
    let (width, address) = if wide {
        ("i64", "(local.get $at)")
    } else {
        ("", "(i32.wrap_i64 (local.get $at))")
    };
    wat::parse_str(format!(
        r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "stable64_grow" (func $grow (param i64) (result i64)))
            (import "ic0" "stable64_write" (func $write (param i64 i64 i64)))
            (memory {width} {heap_pages})
            (func (export "canister_init") (local $at i64)
                (loop $next
                    (i64.store {address}
                        (i64.mul (i64.add (local.get $at) (i64.const 1)) (i64.const {factor})))
                    (local.set $at (i64.add (local.get $at) (i64.const 8)))
                    (br_if $next (i64.lt_u (local.get $at) (i64.const {full_bytes}))))
                (drop (call $grow (i64.const {FULL_PAGES})))
                (call $write (i64.const 0) (i64.const 0) (i64.const {full_bytes})))
            {hook}
            (func (export "canister_query {name}") (call $reply)))"#,
        factor = FACTOR as i64,
        full_bytes = FULL_PAGES * PAGE_LEN_BYTES,
    ))
    .unwrap()
}

/// What `canister_init` leaves in the full pages of either memory.
pub fn contents() -> Vec<u8> {
    (0..FULL_PAGES * PAGE_LEN_BYTES)
        .step_by(8)
        .flat_map(|at| (at + 1).wrapping_mul(FACTOR).to_le_bytes())
        .collect()
}

/// Installs `module` on the last application subnet, with no limit on its heap, with `controllers` beside
/// the operator.
///
/// # Panics
/// If it cannot be installed.
pub fn install(world: &World, module: Vec<u8>, controllers: &[Principal]) -> Principal {
    let operator = world.operator.principal;
    let settings = CanisterSettings {
        controllers: Some([&[operator][..], controllers].concat()),
        wasm_memory_limit: Some(0_u64.into()),
        ..CanisterSettings::default()
    };
    let subnets = world.pic.topology().get_app_subnets();
    let subnet = *subnets.last().expect("a world has an application subnet");
    let canister = world
        .pic
        .create_canister_on_subnet(Some(operator), Some(settings), subnet);
    world
        .pic
        .install_canister(canister, module, Vec::new(), Some(operator));
    canister
}
