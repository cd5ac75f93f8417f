//! `set_auditors`, and the checks of the arguments to `init` and `post_upgrade`.

use candid::Principal;
use rescue_api::{InitArgs, Refusal};

use crate::limits;
use crate::store::settings;

/// Replaces the list of auditors.
pub fn set_auditors(auditors: Vec<Principal>) -> Result<(), Refusal> {
    check(&auditors)?;
    settings::change(|settings| settings.auditors = auditors);
    Ok(())
}

/// Applies the arguments of `init` and `post_upgrade`.
pub fn configure(args: InitArgs) -> Result<(), Refusal> {
    if let Some(auditors) = args.auditors {
        set_auditors(auditors)?;
    }
    if let Some(dashboard) = args.dashboard {
        settings::change(|settings| settings.dashboard = dashboard);
    }
    Ok(())
}

fn check(auditors: &[Principal]) -> Result<(), Refusal> {
    if auditors.len() > limits::AUDITORS_MAX {
        return Err(Refusal::TooLarge {
            what: "number of auditors".to_string(),
            limit: limits::AUDITORS_MAX as u64,
            found: auditors.len() as u64,
        });
    }
    if auditors.contains(&Principal::anonymous()) {
        return Err(Refusal::InvalidArgument {
            argument: "auditors".to_string(),
            why: "the anonymous principal is everybody".to_string(),
        });
    }
    Ok(())
}
