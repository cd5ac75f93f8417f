//! What is done to an instance.

use super::{Reply, convert, read};
use crate::core::api::{CallError, SetTimeError};
use crate::http::message::unsigned_ingress;
use crate::server::{Hosted, Server};
use pocket_ic::RejectResponse;
use pocket_ic::common::rest::{
    AutoProgressConfig, RawAddCycles, RawCanisterCall, RawCanisterResult, RawCycles,
    RawEffectivePrincipal, RawMessageId, RawSetStableMemory, RawSubnetId, RawTickConfigs, RawTime,
};
use std::sync::Arc;
use std::time::Duration;

/// Rounds a client may wait for an answer, before it has to ask again.
const MAX_AWAIT_ROUNDS: u32 = 100;

/// Moves the clock; the next round happens at that time.
pub fn set_time(hosted: &Hosted, time: &RawTime) -> Result<Reply, Reply> {
    hosted
        .write(|network| network.set_time(time.nanos_since_epoch))
        .map_err(|error| time_has_passed(&error))?;
    Ok(Reply::json(&()))
}

/// Moves the clock and shows clients the state of that time at once.
pub fn set_certified_time(hosted: &Hosted, time: &RawTime) -> Result<Reply, Reply> {
    hosted
        .write(|network| network.set_certified_time(time.nanos_since_epoch))
        .map_err(|error| time_has_passed(&error))?;
    Ok(Reply::json(&()))
}

fn time_has_passed(error: &SetTimeError) -> Reply {
    let text = format!(
        "SettingTimeIntoPast(({}, {}))",
        error.current_ns, error.set_ns
    );
    Reply::error(400, text)
}

/// One round.
pub fn tick(hosted: &Hosted, configs: &RawTickConfigs) -> Result<Reply, Reply> {
    if configs.blockmakers.is_some() {
        return Err(Reply::not_supported("Choosing the block makers of a round"));
    }
    hosted.round();
    Ok(Reply::json(&()))
}

/// Cycles out of nothing.
pub fn add_cycles(hosted: &Hosted, args: &RawAddCycles) -> Result<Reply, Reply> {
    let id = convert::principal(&args.canister_id, "canister id")?;
    let cycles = hosted
        .write(|network| network.add_cycles(&id, args.amount))
        .map_err(|error| read::no_access(&error))?;
    Ok(Reply::json(&RawCycles { cycles }))
}

/// Replaces a canister's stable memory by a blob uploaded before.
pub fn set_stable_memory(
    server: &Server,
    hosted: &Hosted,
    args: &RawSetStableMemory,
) -> Result<Reply, Reply> {
    let bad =
        |message: String| Reply::error(400, format!("ConversionError {{ message: {message:?} }}"));
    let id = convert::principal(&args.canister_id, "canister id")?;
    let blob = server
        .blobs
        .get(&args.blob_id.0)
        .ok_or_else(|| bad("Bad blob id".to_owned()))?;
    let bytes = blob.unpack().map_err(|error| bad(error.to_string()))?;
    hosted
        .write(|network| network.set_stable_memory(&id, &bytes))
        .map_err(|error| read::no_access(&error))?;
    Ok(Reply::json(&()))
}

/// Submits an update call. Nobody signs it: whoever can reach the server may speak for anybody.
pub fn submit(hosted: &Hosted, call: RawCanisterCall) -> Result<Reply, Reply> {
    Ok(Reply::json(&submit_call(hosted, call)?))
}

/// The same, its result not yet JSON.
pub fn submit_call(
    hosted: &Hosted,
    call: RawCanisterCall,
) -> Result<Result<RawMessageId, RejectResponse>, Reply> {
    read::refuse_sender_info(&call)?;
    let effective = convert::effective_principal(&call.effective_principal)?;
    let ingress = unsigned_ingress(
        hosted,
        convert::principal(&call.sender, "sender principal")?,
        convert::principal(&call.canister_id, "canister id")?,
        call.method,
        call.payload,
        effective,
    );
    let message_id = ingress.message_id;
    match hosted.submit(ingress) {
        Ok(subnet) => Ok(Ok(RawMessageId {
            effective_principal: RawEffectivePrincipal::SubnetId(subnet.as_slice().to_vec()),
            message_id: message_id.to_vec(),
        })),
        Err(CallError::Rejected(reject)) => Ok(Err(reject)),
        Err(CallError::BadRequest(text)) => Err(convert::bad_ingress(&text)),
    }
}

/// Executes rounds until a message is answered.
pub fn await_message(hosted: &Hosted, message: &RawMessageId) -> Result<Reply, Reply> {
    Ok(Reply::json(&wait_for(hosted, message)?))
}

/// The same, its result not yet JSON.
pub fn wait_for(hosted: &Hosted, message: &RawMessageId) -> Result<RawCanisterResult, Reply> {
    let id = convert::message_id(&message.message_id)?;
    for _ in 0..MAX_AWAIT_ROUNDS {
        let status = hosted.ingress_status(&id);
        if let Some(result) = status.and_then(|status| convert::final_result(status.state)) {
            return Ok(result);
        }
        hosted.round();
    }
    Err(convert::bad_ingress(&format!(
        "Failed to answer to ingress 0x{} after {MAX_AWAIT_ROUNDS} rounds.",
        hex::encode(id)
    )))
}

/// Removes a subnet and everything on it.
pub fn delete_subnet(hosted: &Hosted, subnet: &RawSubnetId) -> Result<Reply, Reply> {
    let id = convert::principal(&subnet.subnet_id, "subnet id")?;
    if id == hosted.certifier().root_subnet_id() {
        return Err(Reply::not_supported(
            "Deleting the root subnet, which signs for all others,",
        ));
    }
    match hosted.write(|network| network.delete_subnet(&id)) {
        true => Ok(Reply::json(&())),
        false => Err(read::subnet_not_found(&id)),
    }
}

/// Lets the instance follow the real time.
pub fn start_progress(hosted: &Arc<Hosted>, config: &AutoProgressConfig) -> Result<Reply, Reply> {
    let delay = config.artificial_delay_ms.map(Duration::from_millis);
    hosted
        .start_progress(delay)
        .map_err(|message| Reply::error(400, message))?;
    Ok(Reply::json(&()))
}
