//! Whether a heap fits the module it is put under.

use candid::Principal;
use engine::{Module, WASM_PAGE_BYTES};

use crate::core::errors::UserError;
use crate::core::limits::{MAX_WASM32_HEAP_BYTES, MAX_WASM64_HEAP_BYTES};
use crate::core::network::SubnetContext;

/// Checks a heap of so many bytes against what the module declares.
///
/// # Errors
/// A heap above what the module's kind may have, a heap under a module without memory, a heap
/// below the declared minimum.
pub fn check_heap(
    subnet: &SubnetContext,
    canister: Principal,
    heap_bytes: u64,
    module: &Module,
) -> Result<(), UserError> {
    if !subnet.rules.checks_heap_size {
        return Ok(());
    }
    let max_bytes = if module.is_wasm64() {
        MAX_WASM64_HEAP_BYTES
    } else {
        MAX_WASM32_HEAP_BYTES
    };
    let minimum_bytes = module
        .memory()
        .map(|memory| memory.minimum_pages.saturating_mul(WASM_PAGE_BYTES));
    let refusal = match minimum_bytes {
        _ if heap_bytes > max_bytes => format!(
            "exceeds the maximum Wasm memory of {max_bytes} bytes allowed for the Wasm execution mode."
        ),
        None if heap_bytes > 0 => {
            "is not empty although the canister module declares no Wasm memory.".into()
        }
        Some(minimum_bytes) if heap_bytes < minimum_bytes => format!(
            "is smaller than the minimum Wasm memory of {minimum_bytes} bytes declared by the canister module."
        ),
        _ => return Ok(()),
    };
    Err(UserError::invalid_heap(canister, heap_bytes, &refusal))
}
