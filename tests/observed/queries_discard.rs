//! Section 3: what a query does to memory is discarded.

use crate::lab::Lab;
use crate::modules::wat;
use candid::Principal;

const SCRIBBLER: &str = r#"(module
    (import "ic0" "msg_reply" (func $reply))
    (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
    (memory 2)
    (global $moved (mut i32) (i32.const 5))
    (func $show
        (i32.store (i32.const 131064) (memory.size))
        (i32.store (i32.const 131068) (global.get $moved))
        (call $append (i32.const 0) (i32.const 8))
        (call $append (i32.const 131064) (i32.const 8))
        (call $reply))
    (func (export "canister_query show") (call $show))
    (func (export "canister_query scribble")
        (drop (memory.grow (i32.const 5)))
        (memory.fill (i32.const 0) (i32.const 0xEE) (i32.const 131072))
        (global.set $moved (i32.const 6))
        (call $show)))"#;

const FRESH: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0];
const SCRIBBLED: [u8; 16] = [
    0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 7, 0, 0, 0, 6, 0, 0, 0,
];

fn show(lab: &Lab, canister: Principal) -> Vec<u8> {
    lab.query(canister, "show", b"").unwrap()
}

facts! {
    fn a_plain_query_sees_its_writes_and_leaves_none(lab) {
        let canister = lab.installed("A", &wat("scribbler", SCRIBBLER), b"");
        assert_eq!(show(lab, canister), FRESH);
        assert_eq!(lab.query(canister, "scribble", b"").unwrap(), SCRIBBLED);
        assert_eq!(show(lab, canister), FRESH);
        assert_eq!(lab.status(canister).memory_metrics.wasm_memory_size, 131_072u64);
    }

    fn a_replicated_query_leaves_none_either(lab) {
        let canister = lab.installed("A", &wat("scribbler", SCRIBBLER), b"");
        assert_eq!(lab.update(canister, "scribble", b"").unwrap(), SCRIBBLED);
        assert_eq!(show(lab, canister), FRESH);
        assert_eq!(lab.status(canister).memory_metrics.wasm_memory_size, 131_072u64);
    }

    fn a_query_may_grow_an_empty_memory_to_the_last_page(lab) {
        let grower = wat("grower", r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
            (memory 0)
            (func (export "canister_query grow") (local $old i32)
                (local.set $old (memory.grow (i32.const 65536)))
                (i32.store (i32.const 0) (local.get $old))
                (i32.store (i32.const 4) (memory.size))
                (call $append (i32.const 0) (i32.const 8))
                (call $reply)))"#);
        let canister = lab.installed("A", &grower, b"");
        assert_eq!(
            lab.query(canister, "grow", b"").unwrap(),
            [0, 0, 0, 0, 0, 0, 1, 0]
        );
        assert_eq!(lab.status(canister).memory_metrics.wasm_memory_size, 0u64);
    }
}
