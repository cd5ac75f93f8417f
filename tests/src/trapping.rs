//! The rescue canister with one thing added: while the minute of the clock is odd, its callbacks trap.
//!
//! Only a test can do this: the bytes are changed here, in memory, and exist nowhere else. What answers a
//! call begins by asking for the reject code; that question is led through a function that looks at the
//! clock first. All else is the module as it was built.

use walrus::ir::{BinaryOp, UnaryOp};
use walrus::{Module, ValType};

/// Nanoseconds in a minute.
const MINUTE_NANOS: i64 = 60_000_000_000;

/// `module`, whose callbacks trap while the minutes since 1970 are an odd number.
///
/// # Panics
/// If the module is none, or asks for no reject code.
pub fn in_odd_minutes(module: &[u8]) -> Vec<u8> {
    let mut module = Module::from_buffer(module).unwrap();
    let question = module
        .imports
        .get_func("ic0", "msg_reject_code")
        .expect("a module that calls others asks for reject codes");
    let answer = module.types.add(&[], &[ValType::I32]);
    let clock = module.types.add(&[], &[ValType::I64]);
    let time = match module.imports.get_func("ic0", "time") {
        Ok(time) => time,
        Err(_) => module.add_import_func("ic0", "time", clock).0,
    };
    let (asked, _) = module.add_import_func("ic0", "msg_reject_code", answer);
    module
        .replace_imported_func(question, |(body, _)| {
            body.call(time)
                .i64_const(MINUTE_NANOS)
                .binop(BinaryOp::I64DivU)
                .i64_const(1)
                .binop(BinaryOp::I64And)
                .unop(UnaryOp::I32WrapI64)
                .if_else(
                    None,
                    |odd| {
                        odd.unreachable();
                    },
                    |_| {},
                )
                .call(asked);
        })
        .unwrap();
    module.emit_wasm()
}
