//! What calls and management functions cost in cycles, as far as canister code can see it.
//!
//! Constants are those of an application subnet of 13 nodes; fees scale with the node count.

use crate::outcome::CallPrepayment;

/// Nodes the constants are made for.
pub(crate) const REFERENCE_SUBNET_SIZE: u64 = 13;

const CALL: u128 = 260_000;
const BYTE_TRANSMISSION: u128 = 1_000;
const MESSAGE_EXECUTION: u128 = 5_000_000;
const TEN_INSTRUCTIONS: u128 = 10;
const TEN_INSTRUCTIONS_WASM64: u128 = 20;
const CREATE_CANISTER: u128 = 500_000_000_000;
const HTTP_BASE: u128 = 3_000_000;
const HTTP_PER_NODE: u128 = 60_000;
const HTTP_REQUEST_BYTE: u128 = 400;
const HTTP_RESPONSE_BYTE: u128 = 800;

/// Longest payload of a response, bytes.
const RESPONSE_MAX_BYTES: u128 = 2 << 20;

fn scale(cycles: u128, subnet_size: u64) -> u128 {
    cycles.saturating_mul(u128::from(subnet_size)) / u128::from(REFERENCE_SUBNET_SIZE)
}

/// Fees of executing `instructions`.
pub(crate) fn execution(instructions: u64, wasm64: bool, subnet_size: u64) -> u128 {
    let ten = if wasm64 {
        TEN_INSTRUCTIONS_WASM64
    } else {
        TEN_INSTRUCTIONS
    };
    scale(
        MESSAGE_EXECUTION + ten * u128::from(instructions) / 10,
        subnet_size,
    )
}

/// What is set aside for a call with `payload_bytes` of method name and argument.
pub(crate) fn call(payload_bytes: u64, wasm64: bool, subnet_size: u64) -> CallPrepayment {
    let bytes = scale(
        BYTE_TRANSMISSION.saturating_mul(u128::from(payload_bytes)),
        subnet_size,
    );
    CallPrepayment {
        request_cycles: scale(CALL, subnet_size).saturating_add(bytes),
        response_transmission_cycles: scale(BYTE_TRANSMISSION * RESPONSE_MAX_BYTES, subnet_size),
        response_execution_cycles: execution(
            crate::Limits::UPDATE_INSTRUCTIONS,
            wasm64,
            subnet_size,
        ),
    }
}

/// Fee of creating a canister.
pub(crate) fn create_canister(subnet_size: u64) -> u128 {
    scale(CREATE_CANISTER, subnet_size)
}

/// Fee of an HTTPS outcall.
pub(crate) fn http_request(request_bytes: u64, response_bytes: u64, subnet_size: u64) -> u128 {
    let nodes = u128::from(subnet_size);
    let per_node = HTTP_BASE
        .saturating_add(HTTP_PER_NODE.saturating_mul(nodes))
        .saturating_add(HTTP_REQUEST_BYTE.saturating_mul(u128::from(request_bytes)))
        .saturating_add(HTTP_RESPONSE_BYTE.saturating_mul(u128::from(response_bytes)));
    per_node.saturating_mul(nodes)
}
