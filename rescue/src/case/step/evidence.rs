//! The part of `step` that keeps evidence: sizes, roots, comparisons.

use rescue_api::Refusal;

use super::Change;
use crate::case::judge::hex;
use crate::case::model::{Attestation, Hash, Memory, MemoryRecord, Operation};
use crate::limits;
use crate::view;

impl Change {
    pub(super) fn size(
        &mut self,
        token: u64,
        memory: Memory,
        size_bytes: u64,
        restart: bool,
    ) -> Result<(), Refusal> {
        let pending = self.holds(token)?.clone();
        let attesting = matches!(pending.operation, Operation::Attest(_));
        let record = self.case.memory_mut(memory);
        if attesting {
            let recorded_bytes = record.size_bytes.unwrap_or(0);
            if recorded_bytes != size_bytes {
                return Err(Refusal::SizeDiffers {
                    memory: view::memory(memory),
                    recorded_bytes,
                    found_bytes: size_bytes,
                });
            }
            if restart || record.attestation.is_none() {
                record.attestation = Some(Attestation::default());
                self.line(Some(pending.operation), "attestation-begun", String::new());
            }
            return Ok(());
        }
        if restart && record.wiped {
            return Err(Refusal::Wiped {
                memory: view::memory(memory),
            });
        }
        match record.size_bytes {
            Some(recorded_bytes) if !restart => {
                if recorded_bytes != size_bytes {
                    return Err(Refusal::SizeDiffers {
                        memory: view::memory(memory),
                        recorded_bytes,
                        found_bytes: size_bytes,
                    });
                }
            }
            _ => {
                *record = MemoryRecord {
                    wiped: record.wiped,
                    size_bytes: Some(size_bytes),
                    ..MemoryRecord::default()
                };
                let detail = format!("{size_bytes} bytes, {} chunks", record.chunks_total());
                self.line(Some(pending.operation), "checksum-begun", detail);
            }
        }
        let chunks = self.case.memory(memory).chunks_total();
        if chunks > limits::CHUNKS_PER_MEMORY_MAX {
            return Err(Refusal::TooLarge {
                what: format!("chunks of the {} memory", view::memory(memory).name()),
                limit: limits::CHUNKS_PER_MEMORY_MAX,
                found: chunks,
            });
        }
        Ok(())
    }

    pub(super) fn seal(
        &mut self,
        token: u64,
        memory: Memory,
        root: Hash,
        now: u64,
    ) -> Result<(), Refusal> {
        let operation = self.holds(token)?.operation;
        let hashed_by = self.case.last_seen.module_hash;
        let record = self.case.memory_mut(memory);
        record.root = Some(root);
        record.hashed_by = hashed_by;
        record.recorded_at = Some(now);
        self.line(
            Some(operation),
            "recorded",
            format!("root {}", hex(root.as_slice())),
        );
        Ok(())
    }

    pub(super) fn compare(
        &mut self,
        token: u64,
        memory: Memory,
        count: u64,
        differing: &[u64],
        now: u64,
    ) -> Result<(), Refusal> {
        let operation = self.holds(token)?.operation;
        let record = self.case.memory_mut(memory);
        let total = record.chunks_total();
        let attestation = record.attestation.get_or_insert_with(Attestation::default);
        attestation.checked += count;
        attestation.mismatches += differing.len() as u64;
        let room = limits::MISMATCHES_NAMED_MAX.saturating_sub(attestation.named.len());
        attestation.named.extend(differing.iter().take(room));
        if attestation.checked == total && attestation.done_at.is_none() {
            attestation.done_at = Some(now);
            let mismatches = attestation.mismatches;
            let event = if mismatches == 0 {
                "attested"
            } else {
                "mismatch"
            };
            let detail = format!("{total} chunks, {mismatches} differ");
            self.line(Some(operation), event, detail);
        }
        Ok(())
    }
}
