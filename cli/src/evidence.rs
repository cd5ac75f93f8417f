//! Fetches what proves the roots of a case: the subnet's signature over the rescue canister's statements.
//!
//! One node gives it, and a node may lie or lag: it is checked before it is kept, and asked for again.

use crate::certificate::{Claim, check_files};
use crate::commands::Context;
use crate::error::CliError;
use crate::limits::WRONG_REPLIES_MAX;
use crate::network::RootKey;
use crate::output::Output;
use crate::rescue::Rescue;
use rescue_api::{CaseId, CertifiedRoots, methods};

/// A file of the folder of certified replies: name and bytes.
pub type NamedFile = (String, Vec<u8>);

/// The files that certify `claim`, checked; none, and a warning, if the rescue canister gives no certificate
/// or only such that do not certify it.
///
/// # Errors
/// When a call fails.
pub async fn certified_files(
    context: &Context,
    rescue: &Rescue,
    case: CaseId,
    claim: &Claim,
    output: &Output,
) -> Result<Vec<NamedFile>, CliError> {
    let root_key = context.connection.root_key();
    let mut wrong = String::new();
    for _ in 0..WRONG_REPLIES_MAX {
        let roots: CertifiedRoots = rescue.look(methods::CERTIFIED_ROOTS, (case,)).await?;
        let Some(files) = files(context, roots) else {
            output.warn(
                "the rescue canister gave no certificate: the backup has its checksums, not the proof",
            );
            return Ok(Vec::new());
        };
        let file = |name: &str| {
            let found = files.iter().find(|(held, _)| held == name);
            found.map(|(_, bytes)| bytes.clone())
        };
        match check_files(claim, rescue.canister(), case, root_key.clone(), file).await {
            Ok(_) => return Ok(files),
            Err(flaw) => wrong = flaw.to_string(),
        }
        context.retry.pause_after(&wrong).await;
    }
    output.warn(format!(
        "no certificate of the rescue canister certifies the recorded roots ({wrong}): the backup has its \
         checksums, not the proof"
    ));
    Ok(Vec::new())
}

fn files(context: &Context, roots: CertifiedRoots) -> Option<Vec<NamedFile>> {
    let mut files = vec![
        (
            "certificate.cbor".to_string(),
            roots.certificate?.into_vec(),
        ),
        ("witness.cbor".to_string(), roots.witness.into_vec()),
    ];
    if context.connection.network().root_key != RootKey::Mainnet {
        files.push(("root_key.der".to_string(), context.connection.root_key()));
    }
    for statement in roots.statements {
        let name = format!("{}.statement.txt", statement.memory.name());
        files.push((name, statement.to_text().into_bytes()));
    }
    Some(files)
}
