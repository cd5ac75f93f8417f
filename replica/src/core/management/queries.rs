//! Management methods that users may call as queries.

use candid::Principal;
use ic_management_canister_types::{
    CanisterLogFilter, CanisterLogRecord, FetchCanisterLogsArgs, FetchCanisterLogsResult,
};

use super::decode::{decode, encode};
use super::method::MethodName;
use super::{info, status};
use crate::core::errors::UserError;
use crate::core::log::LogRecord;
use crate::core::network::SubnetContext;
use crate::core::subnet::SubnetState;

/// Whether the method can be called as a query.
pub fn is_query(method: &str) -> bool {
    matches!(
        MethodName::parse(method),
        Some(
            MethodName::FetchCanisterLogs
                | MethodName::CanisterStatus
                | MethodName::CanisterMetrics
                | MethodName::CanisterInfo
        )
    )
}

/// Answers a query of the management canister.
///
/// # Errors
/// See [`UserError`]: methods that are no queries, canisters that are not there, callers who may
/// not.
pub fn execute(
    state: &SubnetState,
    subnet: &SubnetContext,
    sender: Principal,
    method: &str,
    arg: &[u8],
) -> Result<Vec<u8>, UserError> {
    match MethodName::parse(method) {
        Some(MethodName::FetchCanisterLogs) => fetch_canister_logs(state, sender, &decode(arg)?),
        Some(MethodName::CanisterStatus) => {
            status::canister_status(state, subnet, sender, decode(arg)?)
        }
        Some(MethodName::CanisterMetrics) => status::canister_metrics(state, sender, decode(arg)?),
        Some(MethodName::CanisterInfo) => info::canister_info(state, decode(arg)?),
        Some(MethodName::Unsupported(name)) => Err(UserError::unsupported(name)),
        _ => Err(UserError {
            code: crate::core::api::ErrorCode::CanisterMethodNotFound,
            description: format!("Query method {method} not found."),
        }),
    }
}

fn fetch_canister_logs(
    state: &SubnetState,
    sender: Principal,
    args: &FetchCanisterLogsArgs,
) -> Result<Vec<u8>, UserError> {
    let canister = state
        .canisters
        .get(&args.canister_id)
        .ok_or_else(|| UserError::canister_not_found(args.canister_id))?;
    if !canister.settings.shows_logs_to(&sender) {
        return Err(UserError::logs_not_allowed(sender));
    }
    let is_wanted = |record: &&LogRecord| match &args.filter {
        None => true,
        Some(CanisterLogFilter::ByIdx { start, end }) => (*start..*end).contains(&record.index),
        Some(CanisterLogFilter::ByTimestampNanos { start, end }) => {
            (*start..*end).contains(&record.time_ns)
        }
    };
    Ok(encode(&FetchCanisterLogsResult {
        canister_log_records: canister
            .log
            .records()
            .filter(is_wanted)
            .map(|record| CanisterLogRecord {
                idx: record.index,
                timestamp_nanos: record.time_ns,
                content: record.content.clone(),
            })
            .collect(),
    }))
}
