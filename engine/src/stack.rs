//! Threads whose stack is as deep as canisters may recurse.

use crate::compile::WASM_STACK_BYTES;
use std::cell::Cell;

/// The canister's stack and what system calls and the caller need.
const THREAD_STACK_BYTES: usize = WASM_STACK_BYTES + (11 << 20);

thread_local! {
    static IS_DEEP: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body` on a thread with a deep stack, and waits for it.
///
/// Each message runs on such a thread. Callers with many messages to run wrap them all in one
/// call: inside it, messages run on the same thread.
pub fn on_deep_stack<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    if IS_DEEP.get() {
        return body();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("canister".to_string())
            .stack_size(THREAD_STACK_BYTES)
            .spawn_scoped(scope, || {
                IS_DEEP.set(true);
                body()
            })
            .expect("BUG: the system has no threads left");
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
