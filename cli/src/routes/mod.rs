//! The ways to the memory of a canister. Each ends with a canister that answers reads, a draft that is bound
//! to it, and checksums to hold the data against; what follows is the same for all.

pub mod direct;
pub mod endpoints;
pub mod rescue;
pub mod snapshot;
pub mod taking;
pub mod way_back;

use crate::case::{Case, recorded_root};
use crate::commands::Context;
use crate::error::CliError;
use crate::management::Management;
use archive::metadata::Metadata;
use archive::{ChunkDigests, Draft, Memory};
use candid::Principal;
use rescue_api::CaseView;

/// What a route prepares.
#[derive(Debug)]
pub struct Prepared {
    /// The directory, bound to the canister.
    pub draft: Draft,
    /// The memories, each with its checksums.
    pub digests: Vec<ChunkDigests>,
    /// Tells at the end whether the canister changed.
    pub fence: Fence,
    /// Certified replies to be kept.
    pub certified: Vec<(String, Vec<u8>)>,
    /// The snapshot that holds module and globals.
    pub snapshot: Option<Vec<u8>>,
    /// What is known for `metadata.json` without a snapshot.
    pub metadata: Metadata,
}

/// Tells whether a canister changed while it was read. The bytes cannot be torn, as each chunk matches its
/// checksum; this tells when the checksums are not those of one instant, or no longer those of now.
#[derive(Debug)]
pub enum Fence {
    /// The case must stand where it stood, with the same roots.
    Case(Box<(Case, CaseView)>),
    /// The canister's version must be the same.
    Version {
        /// The canister.
        canister: Principal,
        /// Its version after the last checksum. Plain queries leave it as it is.
        version: u64,
    },
}

impl Fence {
    /// Checks that nothing changed.
    ///
    /// # Errors
    /// [`CliError::CanisterChanged`].
    pub async fn check(&self, context: &Context, canister: Principal) -> Result<(), CliError> {
        let changed = |what: String| {
            Err(CliError::CanisterChanged {
                canister: canister.to_text(),
                what,
            })
        };
        match self {
            Fence::Case(held) => {
                let (case, before) = &**held;
                let after = case.view().await?;
                let same_root = |m| recorded_root(&after, m) == recorded_root(before, m);
                if !Memory::ALL.into_iter().all(same_root) {
                    return changed("its recorded checksums are others now".into());
                }
                if after.phase != before.phase {
                    return changed("its case stands elsewhere now".into());
                }
                Ok(())
            }
            Fence::Version { canister, version } => {
                let management = Management::new(&context.connection, *canister, &context.retry);
                let found = management.status().await?.version;
                if found != *version {
                    return changed(format!("its version went from {version} to {found}"));
                }
                Ok(())
            }
        }
    }
}
