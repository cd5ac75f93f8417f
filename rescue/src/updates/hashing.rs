//! What `checksum` and `attest` share: batches of replicated hashing between two looks at the patient.
//!
//! The second look proves that the module which hashed was in place all the time; only then do the
//! digests of this call count.

use candid::Principal;
use rescue_api::Refusal;

use crate::case::cycles;
use crate::case::model::{Case, CaseId, Memory, Operation};
use crate::case::rules::Consent;
use crate::case::step::Event;
use crate::ic::patient;
use crate::limits;
use crate::pair;
use crate::runner::Ticket;

/// Digests of consecutive chunks.
pub struct Batch {
    /// Index of the first chunk.
    pub first: u64,
    /// 32 bytes each.
    pub digests: Vec<u8>,
}

/// A walk over a memory.
pub struct Walk {
    /// Its lease.
    pub ticket: Ticket,
    /// The case, as it is now.
    pub case: Case,
    memory: Memory,
}

impl Walk {
    /// Takes the lease, looks, asks for the memory's size.
    pub async fn begin(
        actor: Principal,
        id: CaseId,
        operation: Operation,
        memory: Memory,
        restart: bool,
    ) -> Result<Self, Refusal> {
        let ticket = Ticket::take(id, actor, operation, Consent::default())?;
        let case = ticket.look().await?;
        let sized = async {
            cycles::check(operation, pair::width(&case, operation), &case.last_seen)?;
            let size_bytes = patient::size(case.patient, memory).await?;
            ticket.apply(Event::Sized {
                token: ticket.token(),
                memory,
                size_bytes,
                restart,
            })
        };
        match sized.await {
            Ok(case) => Ok(Self {
                ticket,
                case,
                memory,
            }),
            Err(refusal) => {
                ticket.release();
                Err(refusal)
            }
        }
    }

    /// Hashes up to `batches_max` batches from chunk `first` on and gives each to `take`; then looks
    /// again. Answers how many chunks were hashed.
    pub async fn hash(
        &mut self,
        first: u64,
        batches_max: u32,
        mut take: impl FnMut(Batch),
    ) -> Result<u64, Refusal> {
        let total = self.case.memory(self.memory).chunks_total();
        let mut next = first;
        for _ in 0..batches_max {
            if next >= total {
                break;
            }
            let count = (total - next).min(limits::CHUNKS_PER_BATCH);
            let renewed = self.ticket.apply(Event::Renewed {
                token: self.ticket.token(),
            });
            renewed?;
            let patient = self.case.patient;
            match patient::sha256(patient, self.memory, next, count).await {
                Ok(digests) => take(Batch {
                    first: next,
                    digests,
                }),
                Err(refusal) => {
                    self.ticket.release();
                    return Err(refusal);
                }
            }
            next += count;
        }
        self.case = self.ticket.look().await?;
        Ok(next - first)
    }
}

/// How many batches a call may do.
pub fn check_batches(asked: Option<u32>) -> Result<u32, Refusal> {
    let batches = asked.unwrap_or(limits::BATCHES_DEFAULT);
    if batches == 0 || batches > limits::BATCHES_MAX {
        return Err(Refusal::InvalidArgument {
            argument: "batches_max".to_string(),
            why: format!("must be 1 to {}", limits::BATCHES_MAX),
        });
    }
    Ok(batches)
}
