//! Fault plans: an extension of the stand-in, the real server has no such endpoint.

use super::Reply;
use crate::faults::Plan;
use crate::server::Hosted;

/// The rules in force and how often they struck.
pub fn report(hosted: &Hosted) -> Reply {
    Reply::json(&hosted.faults().report())
}

/// Replaces the plan.
pub fn set(hosted: &Hosted, plan: Plan) -> Result<Reply, Reply> {
    hosted
        .order_faults(plan)
        .map_err(|error| Reply::error(400, error.to_string()))?;
    Ok(Reply::json(&()))
}

/// Ends the plan.
pub fn clear(hosted: &Hosted) -> Reply {
    hosted.end_faults();
    Reply::json(&())
}
