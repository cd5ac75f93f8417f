//! A canister that calls another one and hands the answer on: for calls that do not come from outside.

use crate::World;
use candid::Principal;
use pocket_ic::RejectResponse;

/// The module. Its update `forward` takes one byte with the callee's length, the callee, one byte with the
/// method's length, the method, and the argument.
///
/// # Panics
/// If the text is no module.
pub fn module() -> Vec<u8> {
    wat::parse_str(
        r#"(module
            (import "ic0" "msg_arg_data_size" (func $arg_size (result i32)))
            (import "ic0" "msg_arg_data_copy" (func $arg_copy (param i32 i32 i32)))
            (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reject" (func $reject (param i32 i32)))
            (import "ic0" "call_new" (func $new (param i32 i32 i32 i32 i32 i32 i32 i32)))
            (import "ic0" "call_data_append" (func $data (param i32 i32)))
            (import "ic0" "call_perform" (func $perform (result i32)))
            (table funcref (elem $answered $rejected))
            (memory 64)
            (data (i32.const 0) "rejected")
            (func $answered (param i32)
                (call $arg_copy (i32.const 1024) (i32.const 0) (call $arg_size))
                (call $append (i32.const 1024) (call $arg_size))
                (call $reply))
            (func $rejected (param i32)
                (call $reject (i32.const 0) (i32.const 8)))
            (func (export "canister_update forward") (local $method i32) (local $arg i32)
                (call $arg_copy (i32.const 1024) (i32.const 0) (call $arg_size))
                (local.set $method
                    (i32.add (i32.const 1025) (i32.load8_u (i32.const 1024))))
                (local.set $arg (i32.add (i32.add (local.get $method) (i32.const 1))
                    (i32.load8_u (local.get $method))))
                (call $new
                    (i32.const 1025) (i32.load8_u (i32.const 1024))
                    (i32.add (local.get $method) (i32.const 1))
                    (i32.load8_u (local.get $method))
                    (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0))
                (call $data (local.get $arg)
                    (i32.sub (i32.add (i32.const 1024) (call $arg_size)) (local.get $arg)))
                (if (call $perform) (then unreachable))))"#,
    )
    .unwrap()
}

/// Has the canister `through`, which holds the module, call `method` of `callee`.
///
/// # Errors
/// If the call was rejected.
///
/// # Panics
/// If a name is longer than 255 bytes.
pub fn call(
    world: &World,
    through: Principal,
    callee: Principal,
    method: &str,
    arg: &[u8],
) -> Result<Vec<u8>, RejectResponse> {
    let mut bytes = Vec::new();
    for name in [callee.as_slice(), method.as_bytes()] {
        bytes.push(u8::try_from(name.len()).unwrap());
        bytes.extend_from_slice(name);
    }
    bytes.extend_from_slice(arg);
    let caller = world.operator.principal;
    world.pic.update_call(through, caller, "forward", bytes)
}
