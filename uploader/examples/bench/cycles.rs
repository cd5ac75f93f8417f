//! Cycles for a GiB by each route, from the published constants of a 13-node subnet and the measured instructions.

use crate::measure::{Measured, OPERATIONS, Operation, SUBJECTS};
use wire::limits::{CHUNK_LEN_BYTES, GIB_BYTES, READ_LEN_MAX_BYTES, SNAPSHOT_SLICE_MAX_BYTES};

/// Reception of an ingress message.
const INGRESS_MESSAGE: u64 = 1_200_000;
/// Reception of a byte of it.
const INGRESS_BYTE: u64 = 2_000;
/// Bytes of a signed message besides its argument, about.
const ENVELOPE_LEN_BYTES: u64 = 300;
/// Execution of an update or a replicated query, besides its instructions.
const UPDATE: u64 = 5_000_000;
/// An instruction.
const INSTRUCTION: u64 = 1;
/// Instructions that one read of a snapshot is charged for, besides one for each byte.
const SNAPSHOT_READ_INSTRUCTIONS: u64 = 5_000_000;
/// Instructions that taking a snapshot is charged for, besides one for each byte.
const SNAPSHOT_TAKE_INSTRUCTIONS: u64 = 2_000_000_000;
/// Checksums that the longest hashing call answers.
const HASHED_LEN_BYTES: u64 = wire::limits::HASH_CHUNKS_PER_CALL_MAX * CHUNK_LEN_BYTES;

/// What the routes are computed from besides the measurements, by name.
pub const CONSTANTS: [(&str, u64); 6] = [
    ("cycles for an ingress message", INGRESS_MESSAGE),
    ("cycles for a byte of it", INGRESS_BYTE),
    ("cycles for an update's execution", UPDATE),
    ("cycles for an instruction", INSTRUCTION),
    (
        "instructions of a snapshot's read",
        SNAPSHOT_READ_INSTRUCTIONS,
    ),
    (
        "instructions of taking a snapshot",
        SNAPSHOT_TAKE_INSTRUCTIONS,
    ),
];

/// A way to move or to check a GiB.
pub struct Route {
    /// What it is.
    pub label: &'static str,
    /// What is charged.
    pub cycles_per_gib: u64,
}

/// All routes; instructions are those of the 32-bit pair.
pub fn routes(measured: &[Measured]) -> Vec<Route> {
    let find = |operation: Operation, chunk_len_bytes: u64| {
        measured
            .iter()
            .find(|m| m.is(operation, SUBJECTS[0].label, chunk_len_bytes))
            .unwrap_or_else(|| {
                panic!(
                    "{} was not measured, of {}",
                    operation.label(),
                    OPERATIONS.len()
                )
            })
    };
    let calls = |len_bytes: u64| GIB_BYTES.div_ceil(len_bytes);
    let message = |arg_len_bytes: u64| {
        INGRESS_MESSAGE + INGRESS_BYTE * (arg_len_bytes + ENVELOPE_LEN_BYTES) + UPDATE
    };
    let read = find(Operation::StableRead, READ_LEN_MAX_BYTES);
    let hash = find(Operation::StableHash, CHUNK_LEN_BYTES);
    let raw = find(Operation::Write, READ_LEN_MAX_BYTES);
    let compressed = find(Operation::CompressedWrite, READ_LEN_MAX_BYTES);
    let upload = |m: &Measured| {
        calls(m.chunk_len_bytes)
            * (message(m.message_len_bytes as u64) + INSTRUCTION * m.instructions)
    };
    let snapshot_read =
        message(100) + INSTRUCTION * (SNAPSHOT_READ_INSTRUCTIONS + SNAPSHOT_SLICE_MAX_BYTES);
    vec![
        Route {
            label: "download by plain query",
            cycles_per_gib: 0,
        },
        Route {
            label: "download by replicated query",
            cycles_per_gib: calls(READ_LEN_MAX_BYTES)
                * (message(read.message_len_bytes as u64) + INSTRUCTION * read.instructions),
        },
        Route {
            label: "checksums by replicated query",
            cycles_per_gib: calls(HASHED_LEN_BYTES) * message(hash.message_len_bytes as u64)
                + calls(CHUNK_LEN_BYTES) * INSTRUCTION * hash.instructions,
        },
        Route {
            label: "taking a snapshot",
            cycles_per_gib: message(100) + INSTRUCTION * (SNAPSHOT_TAKE_INSTRUCTIONS + GIB_BYTES),
        },
        Route {
            label: "download of a snapshot",
            cycles_per_gib: calls(SNAPSHOT_SLICE_MAX_BYTES) * snapshot_read,
        },
        Route {
            label: "upload, raw",
            cycles_per_gib: upload(raw),
        },
        Route {
            label: "upload, compressed account records",
            cycles_per_gib: upload(compressed),
        },
    ]
}
