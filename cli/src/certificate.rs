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
use archive::layout::Layout;
use archive::manifest::{Attestation, MemoryEntry};
use archive::open::{ImageReader, read_certified, read_digests};
use archive::{Manifest, Memory};
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
    Invalid {
        /// Why.
        reason: String,
    },
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
    let (Some(certificate), Some(witness)) = (file("certificate.cbor"), file("witness.cbor"))
    else {
        return Verdict::Absent;
    };
    match check_parts(
        manifest,
        rescue_canister,
        *case,
        &certificate,
        &witness,
        root_key,
        file,
    )
    .await
    {
        Ok(signed_at_ns) => Verdict::Valid { signed_at_ns },
        Err(reason) => Verdict::Invalid { reason },
    }
}

/// Checks the certified replies to the program's own calls.
async fn check_calls(layout: &Layout, manifest: &Manifest, root_key: Vec<u8>) -> Verdict {
    let Some(file) = read_certified(layout, CALLS_FILE) else {
        return Verdict::Absent;
    };
    let invalid = |reason: String| Verdict::Invalid { reason };
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

async fn check_parts(
    manifest: &Manifest,
    rescue_canister: &str,
    case: u64,
    certificate: &[u8],
    witness: &[u8],
    root_key: Vec<u8>,
    file: impl Fn(&str) -> Option<Vec<u8>>,
) -> Result<u64, String> {
    let rescue = Principal::from_text(rescue_canister)
        .map_err(|_| "the manifest names no rescue canister".to_string())?;
    let (data, signed_at_ns) = certified_data(certificate, rescue, root_key).await?;
    let tree: HashTree<Vec<u8>> = serde_cbor::from_slice(witness)
        .map_err(|error| format!("the witness is not understood: {error}"))?;
    if tree.digest()[..] != data[..] {
        return Err("the witness is not what the certificate certifies".into());
    }
    for entry in &manifest.memories {
        let name = entry.memory_name();
        let path = [
            RootStatement::TREE_LABEL.as_bytes(),
            &RootStatement::case_label(case),
            name.as_bytes(),
        ];
        let LookupResult::Found(statement) = tree.lookup_path(path) else {
            return Err(format!(
                "the witness has no statement of case {case} about the {}",
                entry.memory
            ));
        };
        if file(&format!("{name}.statement.txt")).is_none_or(|text| text != statement) {
            return Err(format!("{name}.statement.txt is not what is certified"));
        }
        check_statement(manifest, entry, &String::from_utf8_lossy(statement))?;
    }
    Ok(signed_at_ns)
}

/// Compares what is certified with what the manifest says.
fn check_statement(
    manifest: &Manifest,
    entry: &MemoryEntry,
    statement: &str,
) -> Result<(), String> {
    for line in [
        format!("patient {}", manifest.subject.canister),
        format!("size {}", entry.size_bytes),
        format!("chunk {}", manifest.chunk_len_bytes),
        format!("root {}", entry.root),
    ] {
        if !statement.lines().any(|held| held == line) {
            return Err(format!(
                "what is certified about the {} does not say `{line}`",
                entry.memory
            ));
        }
    }
    Ok(())
}

/// The word for a memory in statements.
trait MemoryName {
    fn memory_name(&self) -> &'static str;
}

impl MemoryName for MemoryEntry {
    fn memory_name(&self) -> &'static str {
        match self.memory {
            Memory::Stable => rescue_api::Memory::Stable.name(),
            Memory::Heap => rescue_api::Memory::Heap.name(),
        }
    }
}
