//! Checksums, roots and the certificate over them.

use candid::{CandidType, Principal};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{CaseId, Pair};

/// One of a canister's two memories.
#[derive(CandidType, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Memory {
    /// Stable memory.
    Stable,
    /// The Wasm heap.
    Heap,
}

impl Memory {
    /// Lower-case name, as in memory roots and statements.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Heap => "heap",
        }
    }
}

/// How far the checksums of a memory are.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ChecksumProgress {
    /// Which memory.
    pub memory: Memory,
    /// Its size, bytes.
    pub size_bytes: u64,
    /// Chunks it has.
    pub chunks_total: u64,
    /// Chunks recorded. Done when equal to `chunks_total` and `root` is there.
    pub chunks_recorded: u64,
    /// The memory root, once all are recorded.
    pub root: Option<ByteBuf>,
}

/// How far an attestation is.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct AttestProgress {
    /// Which memory.
    pub memory: Memory,
    /// Chunks it has.
    pub chunks_total: u64,
    /// Chunks hashed again and compared.
    pub chunks_checked: u64,
    /// How many of them differ from the record.
    pub mismatches: u64,
    /// Indexes of the first that differ, at most 64.
    pub first_mismatches: Vec<u64>,
    /// All chunks were compared and none differs.
    pub attested: bool,
}

/// What is known of one memory of a patient.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct MemoryView {
    /// Which memory.
    pub memory: Memory,
    /// Whether it has been emptied or replaced since the case was opened, so that only `attest`
    /// (not `checksum`) makes sense.
    pub wiped: bool,
    /// The recorded checksums.
    pub checksums: Option<ChecksumProgress>,
    /// When the root was recorded, nanoseconds since 1970.
    pub recorded_at_nanos: Option<u64>,
    /// The last attestation.
    pub attestation: Option<AttestProgress>,
    /// When it was finished, nanoseconds since 1970.
    pub attested_at_nanos: Option<u64>,
}

/// A memory root with all that makes it proof. Its text is the certified leaf.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct RootStatement {
    /// The case.
    pub case: CaseId,
    /// The canister whose memory it is.
    pub patient: Principal,
    /// Which memory.
    pub memory: Memory,
    /// Its size, bytes.
    pub size_bytes: u64,
    /// Length of a chunk, bytes.
    pub chunk_length_bytes: u64,
    /// The memory root, 32 bytes.
    pub root: ByteBuf,
    /// SHA-256 of the module the patient held when the case was opened.
    pub patient_module_hash: Option<ByteBuf>,
    /// SHA-256 of the module that did the hashing.
    pub hashed_by: ByteBuf,
    /// When the last chunk was recorded, nanoseconds since 1970.
    pub recorded_at_nanos: u64,
}

impl RootStatement {
    /// First label of the path in the certified tree; then [`RootStatement::case_label`], then the
    /// memory's name.
    pub const TREE_LABEL: &'static str = "ic-rescue roots";

    /// The text that is certified, one fact a line, each line ended by a line feed:
    ///
    /// ```text
    /// ic-rescue root statement 1
    /// case 7
    /// patient lxzze-o7777-77777-aaaaa-cai
    /// memory stable
    /// size 67108864
    /// chunk 1048576
    /// root 0f…
    /// module 3a…            (or: module none)
    /// hashed-by 91…
    /// recorded 1760000000000000000
    /// ```
    #[must_use]
    pub fn to_text(&self) -> String {
        let module = match &self.patient_module_hash {
            Some(hash) => hex(hash),
            None => "none".to_string(),
        };
        format!(
            "ic-rescue root statement 1\ncase {}\npatient {}\nmemory {}\nsize {}\nchunk {}\nroot {}\n\
             module {}\nhashed-by {}\nrecorded {}\n",
            self.case,
            self.patient,
            self.memory.name(),
            self.size_bytes,
            self.chunk_length_bytes,
            hex(&self.root),
            module,
            hex(&self.hashed_by),
            self.recorded_at_nanos,
        )
    }

    /// Label of a case in the certified tree: its number, 8 bytes, big-endian.
    #[must_use]
    pub const fn case_label(case: CaseId) -> [u8; 8] {
        case.to_be_bytes()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Roots of a case with the subnet's signature over them.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct CertifiedRoots {
    /// The rescue canister: the certificate is about its certified data.
    pub rescue: Principal,
    /// The statements, stable memory first. Empty until a root is recorded.
    pub statements: Vec<RootStatement>,
    /// CBOR of the certificate; absent when asked in replicated execution.
    pub certificate: Option<ByteBuf>,
    /// CBOR of the hash tree: its digest is the canister's certified data, and it reveals
    /// `RootStatement::TREE_LABEL` / `case_label` / memory name -> `RootStatement::to_text`.
    pub witness: ByteBuf,
}

/// A module embedded in the rescue canister.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ModuleInfo {
    /// Which.
    pub module: Pair,
    /// Whether it has 64-bit addresses: it is swapped in where the heap is larger than 4 GiB.
    pub memory64: bool,
    /// SHA-256 of its bytes, computed on chain.
    pub module_hash: ByteBuf,
    /// Its size, bytes.
    pub size_bytes: u64,
}

/// What the rescue canister is made of.
#[derive(CandidType, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Modules {
    /// Version of the rescue canister's source.
    pub version: String,
    /// The embedded pair.
    pub pair: Vec<ModuleInfo>,
}
