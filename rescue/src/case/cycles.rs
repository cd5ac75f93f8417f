//! What a step must find in the patient's purse, as a lower bound.
//!
//! The IC takes the price of a message's whole instruction limit first and gives the rest back. The
//! figures are those of a subnet of 13 nodes; a larger one asks for more and says so itself.

use rescue_api::Refusal;

use super::model::{Operation, Seen};
use crate::pair::Width;
use crate::view;

/// Fixed price of executing a message.
const MESSAGE: u128 = 5_000_000;
/// Instruction limit of `install_code`, at one cycle an instruction.
const INSTALL: u128 = 300_000_000_000;
/// Instruction limit of a replicated query.
const QUERY: u128 = 5_000_000_000;
/// Baseline of taking or loading a snapshot, to which come its bytes.
const SNAPSHOT: u128 = 2_000_000_000;
/// Price of storing a GiB for a second.
const GIB_SECOND: u128 = 127_000;

/// Cycles the patient must be able to spend for a step. Instructions of modules with 64-bit addresses are
/// charged double; of the final module the width is not known, so that is its lower bound.
#[must_use]
pub fn prepayment(operation: Operation, width: Width, seen: &Seen) -> u128 {
    let memory = u128::from(seen.memory_bytes);
    let price = match width {
        Width::Bits32 => 1,
        Width::Bits64 => 2,
    };
    match operation {
        Operation::SwapIn { .. } => price * INSTALL + MESSAGE,
        Operation::Install(_) => INSTALL + MESSAGE,
        Operation::Snapshot => {
            let freezing =
                GIB_SECOND * seen.freezing_threshold * memory / u128::from(wire::limits::GIB_BYTES);
            SNAPSHOT + memory + MESSAGE + freezing
        }
        Operation::Rollback => SNAPSHOT + MESSAGE,
        Operation::Checksum(_) | Operation::Attest(_) => price * QUERY + MESSAGE,
        Operation::Stop
        | Operation::Start
        | Operation::Declare
        | Operation::PutModuleChunk
        | Operation::Settle
        | Operation::Accept
        | Operation::Close
        | Operation::Forget => 0,
    }
}

/// Refuses a step that the patient cannot prepay. A patient that burns nothing for being there lives
/// on a subnet that charges nothing.
pub fn check(operation: Operation, width: Width, seen: &Seen) -> Result<(), Refusal> {
    let prepayment = prepayment(operation, width, seen);
    if prepayment == 0 || seen.idle_cycles_per_day == 0 {
        return Ok(());
    }
    let needed = seen.frozen_cycles + prepayment;
    if seen.cycles < needed {
        return Err(Refusal::NotEnoughCycles {
            operation: view::operation(operation),
            needed: needed.into(),
            found: seen.cycles.into(),
        });
    }
    Ok(())
}
