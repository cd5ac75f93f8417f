//! Gets small files of a damaged backup again from where they came.
//!
//! The module and the chunk store lie in the canister's snapshot; they count only if they have the listed hash.
//! Certificates are made anew by the rescue canister: they prove the same roots with another signature, so the
//! manifest is written again with them.

use crate::args::{NetworkArgs, canister};
use crate::certificate::Claim;
use crate::commands::Context;
use crate::error::CliError;
use crate::evidence::certified_files;
use crate::management::Management;
use crate::output::Output;
use crate::rescue::Rescue;
use archive::lock::Guard;
use archive::manifest::Attestation;
use archive::{Exclusive, Layout, Manifest, repair};

/// Gets what can be had of `missing`, files relative to the directory.
///
/// # Errors
/// When a call fails or a file cannot be written. What cannot be had is no error: it is still missing.
pub async fn refetch(
    network: &NetworkArgs,
    lock: &Exclusive,
    manifest: &Manifest,
    missing: &[String],
    output: &Output,
) -> Result<(), CliError> {
    let context = Context::open(network, "verify --repair").await?;
    let layout = lock.layout();
    let within = format!("{}/", layout.relative(&layout.certified()));
    let (proof, content): (Vec<&String>, Vec<&String>) =
        missing.iter().partition(|file| file.starts_with(&within));
    if !content.is_empty() {
        from_snapshots(&context, network, lock, manifest, content, output).await?;
    }
    if !proof.is_empty() {
        prove_anew(&context, lock, manifest, output).await?;
    }
    context.report(output);
    Ok(())
}

/// Looks for module and chunks in the canister's snapshots.
async fn from_snapshots(
    context: &Context,
    network: &NetworkArgs,
    lock: &Exclusive,
    manifest: &Manifest,
    mut missing: Vec<&String>,
    output: &Output,
) -> Result<(), CliError> {
    let canister = canister(&manifest.subject.canister, network)?;
    let management = Management::new(&context.connection, canister, &context.retry);
    let layout = lock.layout();
    for snapshot in management.snapshots().await?.into_iter().rev() {
        let held = management.snapshot_metadata(&snapshot.id).await?;
        let mut still_missing = Vec::new();
        for file in missing {
            let data = match stored_chunk(layout, file) {
                None => Some(
                    management
                        .snapshot_module(&snapshot.id, held.wasm_module_size)
                        .await?,
                ),
                Some(hash) if held.wasm_chunk_store.iter().any(|chunk| chunk.hash == hash) => {
                    Some(management.snapshot_chunk(&snapshot.id, &hash).await?)
                }
                Some(_) => None,
            };
            let is_back = match data {
                Some(data) => repair::put_back(lock, manifest, file, &data)?,
                None => false,
            };
            if is_back {
                let id = hex::encode(&snapshot.id);
                output.step(format!("put {file} back from snapshot {id}"));
            } else {
                still_missing.push(file);
            }
        }
        missing = still_missing;
        if missing.is_empty() {
            break;
        }
    }
    Ok(())
}

/// The hash in the name of a file of the chunk store; none for the module.
fn stored_chunk(layout: &Layout, file: &str) -> Option<Vec<u8>> {
    let folder = format!("{}/", layout.relative(&layout.chunk_store()));
    let name = file.strip_prefix(&folder)?.strip_suffix(".bin")?;
    hex::decode(name).ok()
}

/// Has the rescue canister's subnet certify the roots once more.
async fn prove_anew(
    context: &Context,
    lock: &Exclusive,
    manifest: &Manifest,
    output: &Output,
) -> Result<(), CliError> {
    let Attestation::Rescue {
        rescue_canister,
        case,
    } = &manifest.subject.attestation
    else {
        return Ok(());
    };
    let canister = rescue_canister
        .parse()
        .map_err(|_| CliError::BadPrincipal {
            text: rescue_canister.clone(),
            looked: "the manifest names it as the rescue canister".into(),
        })?;
    let rescue = Rescue::new(context.connection.clone(), canister, context.retry.clone());
    let claim = Claim::of(manifest);
    let files = certified_files(context, &rescue, *case, &claim, output).await?;
    if !files.is_empty() {
        repair::replace_certified(lock, manifest, &files)?;
        output.step(format!(
            "the roots are certified anew by {canister}; the manifest lists the new certificate"
        ));
    }
    Ok(())
}
