//! Checks offline that a backup's roots were certified: by the subnet of the rescue canister, or by that of the
//! canister itself in its replies to calls that are kept ([`crate::calls`]).
//!
//! ```text
//! root key ─signs─► certificate ─holds─► certified data of the rescue canister
//!                                             = digest of the witness ─holds─► statement of each memory
//!                                                                                = canister, size, root in the manifest
//! ```

use crate::agent::certified_data;
use crate::calls::{self, CALLS_FILE};
use crate::case::theirs;
use archive::digests::CHUNK_LEN_BYTES;
use archive::layout::Layout;
use archive::manifest::{Attestation, MemoryEntry};
use archive::open::{ImageReader, read_certified, read_digests};
use archive::{ChunkDigests, Manifest, Memory};
use candid::Principal;
use ic_agent::hash_tree::{HashTree, LookupResult};
use rescue_api::RootStatement;

/// What the certificate of a backup is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The backup has none, and its route makes none.
    Absent,
    /// Every root in the manifest is certified.
    Valid {
        /// When the subnet signed, in nanoseconds since 1970.
        signed_at_ns: u64,
    },
    /// It does not certify this backup.
    Invalid(Flaw),
}

/// Why a certificate does not certify what is claimed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The manifest names no rescue canister.
    #[error("the manifest names no rescue canister: `{0}`")]
    NoRescueCanister(String),
    /// A file that belongs to the certificate is missing.
    #[error("{0} is not there")]
    NoFile(String),
    /// No subnet has signed it for that rescue canister, or not under that root key.
    #[error("{0}")]
    NotSigned(String),
    /// The witness is not understood.
    #[error("the witness is not understood: {0}")]
    NoWitness(String),
    /// The witness is not the tree that was signed.
    #[error("the witness is not what the certificate certifies")]
    OtherWitness,
    /// Nothing is certified about a memory of the backup.
    #[error("the witness has no statement of case {case} about the {memory}")]
    NoStatement {
        /// The memory.
        memory: Memory,
        /// The case.
        case: u64,
    },
    /// It is about another canister.
    #[error("it is the certificate of another canister, {found}, not of {expected}")]
    OtherPatient {
        /// Which it is about.
        found: String,
        /// Which the backup is of.
        expected: String,
    },
    /// It was signed before the checksums of the backup were taken.
    #[error(
        "it is an old certificate: it was signed at {signed_at_ns} ns, and the checksums of the backup \
         were taken at {taken_at_ns} ns"
    )]
    Old {
        /// When it was signed, in nanoseconds since 1970.
        signed_at_ns: u64,
        /// When the checksums were taken, in nanoseconds since 1970.
        taken_at_ns: u64,
    },
    /// The manifest says something else than was certified.
    #[error("what is certified about the {memory} does not say `{line}`")]
    OtherManifest {
        /// The memory.
        memory: Memory,
        /// What the manifest says.
        line: String,
    },
    /// The text beside the certificate is not what was certified.
    #[error("{file} is not what is certified")]
    OtherText {
        /// Its name.
        file: String,
    },
    /// The certified replies to the program's own calls do not bear the backup out.
    #[error("{0}")]
    Replies(String),
}

/// What a certificate has to certify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The canister whose memories were hashed, as text.
    pub patient: String,
    /// Chunk length of the digests, in bytes.
    pub chunk_len_bytes: u64,
    /// Each memory with its size in bytes and its root, hex.
    pub roots: Vec<(Memory, u64, String)>,
    /// When the checksums were taken, in nanoseconds since 1970, if that is known: a certificate cannot be
    /// older.
    pub taken_at_ns: Option<u64>,
}

impl Claim {
    /// What `manifest` claims.
    pub fn of(manifest: &Manifest) -> Self {
        let root = |entry: &MemoryEntry| (entry.memory, entry.size_bytes, entry.root.clone());
        Self {
            patient: manifest.subject.canister.clone(),
            chunk_len_bytes: manifest.chunk_len_bytes,
            roots: manifest.memories.iter().map(root).collect(),
            taken_at_ns: Some(manifest.subject.taken_at_ns),
        }
    }

    /// What `digests`, recorded for `patient`, claim.
    pub fn of_digests(patient: Principal, digests: &[ChunkDigests]) -> Self {
        let root = |d: &ChunkDigests| (d.memory(), d.size_bytes(), hex::encode(d.root()));
        Self {
            patient: patient.to_text(),
            chunk_len_bytes: CHUNK_LEN_BYTES,
            roots: digests.iter().map(root).collect(),
            taken_at_ns: None,
        }
    }
}

/// Checks the certificate in the backup of `layout` against `root_key` (DER).
pub async fn check(layout: &Layout, manifest: &Manifest, root_key: Vec<u8>) -> Verdict {
    let (rescue_canister, case) = match &manifest.subject.attestation {
        Attestation::Rescue {
            rescue_canister,
            case,
        } => (rescue_canister, case),
        Attestation::ReplicatedCalls => return check_calls(layout, manifest, root_key).await,
        Attestation::Received => return Verdict::Absent,
    };
    let file = |name: &str| read_certified(layout, name);
    if file("certificate.cbor").is_none() || file("witness.cbor").is_none() {
        return Verdict::Absent;
    }
    let Ok(rescue) = Principal::from_text(rescue_canister) else {
        return Verdict::Invalid(Flaw::NoRescueCanister(rescue_canister.clone()));
    };
    match check_files(&Claim::of(manifest), rescue, *case, root_key, file).await {
        Ok(signed_at_ns) => Verdict::Valid { signed_at_ns },
        Err(flaw) => Verdict::Invalid(flaw),
    }
}

/// Checks the certified replies to the program's own calls.
async fn check_calls(layout: &Layout, manifest: &Manifest, root_key: Vec<u8>) -> Verdict {
    let Some(file) = read_certified(layout, CALLS_FILE) else {
        return Verdict::Absent;
    };
    let invalid = |reason: String| Verdict::Invalid(Flaw::Replies(reason));
    let mut digests = Vec::new();
    for entry in &manifest.memories {
        match read_digests(layout, manifest, entry.memory) {
            Ok(found) => digests.push(found),
            Err(error) => return invalid(error.to_string()),
        }
    }
    let stable = digests
        .iter()
        .find(|held| held.memory() == Memory::Stable)
        .and_then(|held| ImageReader::open(layout, held.clone()).ok());
    let chunk = |offset: u64| {
        let image = stable.as_ref()?;
        image.read(offset / image.digests().chunk_len_bytes()).ok()
    };
    match calls::check(&file, manifest, &digests, chunk, &root_key).await {
        Ok(signed_at_ns) => Verdict::Valid { signed_at_ns },
        Err(reason) => invalid(reason),
    }
}

/// Checks the files of a certificate, given by name, and returns when the subnet signed, in nanoseconds since
/// 1970.
///
/// # Errors
/// Why they do not certify `claim`.
pub async fn check_files(
    claim: &Claim,
    rescue: Principal,
    case: u64,
    root_key: Vec<u8>,
    file: impl Fn(&str) -> Option<Vec<u8>>,
) -> Result<u64, Flaw> {
    let whole = |name: &str| file(name).ok_or_else(|| Flaw::NoFile(name.to_string()));
    let certificate = whole("certificate.cbor")?;
    let witness = whole("witness.cbor")?;
    let (data, signed_at_ns) = certified_data(&certificate, rescue, root_key)
        .await
        .map_err(Flaw::NotSigned)?;
    let tree: HashTree<Vec<u8>> =
        serde_cbor::from_slice(&witness).map_err(|error| Flaw::NoWitness(error.to_string()))?;
    if tree.digest()[..] != data[..] {
        return Err(Flaw::OtherWitness);
    }
    check_patient(&claim.patient, &tree)?;
    if let Some(taken_at_ns) = claim.taken_at_ns.filter(|taken| signed_at_ns < *taken) {
        return Err(Flaw::Old {
            signed_at_ns,
            taken_at_ns,
        });
    }
    for (memory, size_bytes, root) in &claim.roots {
        let memory = *memory;
        let name = theirs(memory).name();
        let path = [
            RootStatement::TREE_LABEL.as_bytes(),
            &RootStatement::case_label(case),
            name.as_bytes(),
        ];
        let LookupResult::Found(statement) = tree.lookup_path(path) else {
            return Err(Flaw::NoStatement { memory, case });
        };
        let text = String::from_utf8_lossy(statement);
        for line in [
            format!("patient {}", claim.patient),
            format!("size {size_bytes}"),
            format!("chunk {}", claim.chunk_len_bytes),
            format!("root {root}"),
        ] {
            if !text.lines().any(|held| held == line) {
                return Err(Flaw::OtherManifest { memory, line });
            }
        }
        let file_name = format!("{name}.statement.txt");
        if file(&file_name).is_none_or(|text| text != statement) {
            return Err(Flaw::OtherText { file: file_name });
        }
    }
    Ok(signed_at_ns)
}

/// Every statement that the witness reveals is about `expected`.
fn check_patient(expected: &str, tree: &HashTree<Vec<u8>>) -> Result<(), Flaw> {
    for path in tree.list_paths() {
        let LookupResult::Found(statement) = tree.lookup_path(&path) else {
            continue;
        };
        let text = String::from_utf8_lossy(statement);
        let patient = text.lines().find_map(|line| line.strip_prefix("patient "));
        if let Some(found) = patient.filter(|found| *found != expected) {
            return Err(Flaw::OtherPatient {
                found: found.to_string(),
                expected: expected.to_string(),
            });
        }
    }
    Ok(())
}
