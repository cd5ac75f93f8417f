//! What the healed canister answers on chain, beside what it answered before.

use crate::commands::{Context, read_file};
use crate::error::CliError;
use crate::offline_patient::engine;
use crate::output::Output;
use candid::Principal;
use offline::rehearse::Compared;
use offline::{Interface, OfflineError, call, interface};
use std::path::Path;

/// Asks the living canister, which runs `fixed`, and compares; true if all answers are as before.
///
/// # Errors
/// When a query fails.
pub async fn compare(
    context: &Context,
    canister: Principal,
    fixed: &Path,
    checks: &[Compared],
    output: &Output,
) -> Result<bool, CliError> {
    let module = engine()
        .load_module(&read_file(fixed)?)
        .map_err(OfflineError::from)?;
    let carried = Interface::of_module(&module)?;
    let known = carried.as_ref();
    let mut equal = true;
    for compared in checks {
        let method = &compared.check.method;
        let argument = interface::encode(known, method, &compared.check.argument)?;
        let connection = &context.connection;
        let reply = context
            .retry
            .run(|| connection.query(canister, method, argument.clone()))
            .await?;
        let found = call::text_of(known, method, &reply)?;
        let same = compared.before.as_ref() == Ok(&found);
        equal &= same;
        let verdict = match same {
            true => "answers as before",
            false => "answers OTHERWISE",
        };
        output.step(format!(
            "on chain, {method}{}: {verdict}",
            compared.check.argument
        ));
    }
    Ok(equal)
}
