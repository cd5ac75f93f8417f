//! The management canister of a subnet.
//!
//! Every method has a handler in one of the modules below; [`execute`] decodes, calls it and sends
//! the answer. Methods that exist on the Internet Computer and not here answer with a reject that
//! says so.

pub mod chunked;
pub mod chunks;
pub mod create;
pub mod decode;
pub mod heap_fit;
pub mod info;
pub mod ingress;
pub mod install;
pub mod lifecycle;
pub mod method;
pub mod queries;
pub mod routing;
mod sender_version;
pub mod settings;
pub mod snapshot_load;
pub mod snapshot_transfer;
pub mod snapshots;
pub mod status;

use candid::Principal;
use ic_management_canister_types::{ChangeOrigin, FromCanisterRecord, FromUserRecord};

use super::answer::failed;
use super::api::IngressState;
use super::errors::UserError;
use super::message::{IngressMessage, Input, Output, Payload, Request, Response};
use super::network::SubnetContext;
use super::subnet::SubnetState;
use decode::{decode, empty};
use method::MethodName;

/// A call of the management canister.
#[derive(Clone, Debug)]
pub enum Call {
    /// From a user.
    Ingress(IngressMessage),
    /// From a canister.
    Request(Request),
}

impl Call {
    /// Who calls.
    pub fn sender(&self) -> Principal {
        match self {
            Call::Ingress(message) => message.sender,
            Call::Request(request) => request.sender,
        }
    }

    /// Method name.
    pub fn method(&self) -> &str {
        match self {
            Call::Ingress(message) => &message.method,
            Call::Request(request) => &request.method,
        }
    }

    /// Argument.
    pub fn arg(&self) -> &[u8] {
        match self {
            Call::Ingress(message) => &message.arg,
            Call::Request(request) => &request.arg,
        }
    }

    /// Cycles attached.
    pub fn cycles(&self) -> u128 {
        match self {
            Call::Ingress(_) => 0,
            Call::Request(request) => request.cycles,
        }
    }

    /// Who calls, as the history shows it.
    pub fn origin(&self, sender_canister_version: Option<u64>) -> ChangeOrigin {
        match self {
            Call::Ingress(message) => ChangeOrigin::FromUser(FromUserRecord {
                user_id: message.sender,
            }),
            Call::Request(request) => ChangeOrigin::FromCanister(FromCanisterRecord {
                canister_id: request.sender,
                canister_version: sender_canister_version,
            }),
        }
    }
}

/// What a handler gives.
pub enum Handled {
    /// The answer, and the cycles to give back.
    Answer(Result<Vec<u8>, UserError>, u128),
    /// The answer comes later.
    Waiting,
}

/// Whether the message can be executed now: nothing long is under way on its canister.
pub fn can_execute(state: &SubnetState, input: &Input) -> bool {
    let (method, arg) = match input {
        Input::Ingress(message) => (&message.method, &message.arg),
        Input::Request(request) => (&request.method, &request.arg),
        Input::Response(_) => return true,
    };
    let Some(method) = MethodName::parse(method) else {
        return true;
    };
    let Some(canister) =
        routing::effective_canister(method, arg).and_then(|id| state.canisters.get(&id))
    else {
        return true;
    };
    if canister.paused.is_some() {
        return false;
    }
    let installs = state.canisters.values().any(|canister| {
        matches!(
            canister.paused.as_deref(),
            Some(super::execute::Paused::Install(..))
        )
    });
    !(method.is_heavy() && (state.budget <= 0 || (installs && method.is_install())))
}

/// Executes a message to the management canister.
pub fn execute(state: &mut SubnetState, subnet: &SubnetContext, input: Input) {
    let call = match input {
        Input::Ingress(message) => Call::Ingress(message),
        Input::Request(request) => Call::Request(request),
        // The management canister makes no calls, so nothing can answer it.
        Input::Response(_) => return,
    };
    let handled = handle(state, subnet, &call);
    if let Handled::Answer(result, refund) = handled {
        if result.is_ok()
            && let Some(canister) = MethodName::parse(call.method())
                .and_then(|method| routing::effective_canister(method, call.arg()))
            && let Some(canister) = state.canisters.get_mut(&canister)
        {
            canister.update_hook();
        }
        answer(state, subnet, &call, result, refund);
    }
}

/// Sends the answer to a call.
pub fn answer(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    call: &Call,
    result: Result<Vec<u8>, UserError>,
    refund: u128,
) {
    match call {
        Call::Ingress(message) => {
            let status = match result {
                Ok(bytes) => IngressState::Replied(bytes),
                Err(error) => failed(error),
            };
            state.answer_ingress(message.id, status);
        }
        Call::Request(request) => {
            let payload = match &result {
                Ok(bytes) => Payload::Reply(bytes.clone()),
                Err(error) => Payload::from(error),
            };
            let response = Response {
                respondent: subnet.id,
                ..Response::to(request, payload, refund)
            };
            state.outputs.push_back(Output::Response(response));
        }
    }
}

fn handle(state: &mut SubnetState, subnet: &SubnetContext, call: &Call) -> Handled {
    let Some(method) = MethodName::parse(call.method()) else {
        return Handled::Answer(Err(UserError::unknown_method(call.method())), call.cycles());
    };
    match method {
        MethodName::InstallCode | MethodName::InstallChunkedCode => {
            install::execute(state, subnet, call, method)
        }
        MethodName::StopCanister => lifecycle::stop(state, subnet, call),
        MethodName::CreateCanister => create::create_canister(state, subnet, call),
        MethodName::DepositCycles => create::deposit_cycles(state, call),
        MethodName::RawRand => create::raw_rand(state, call),
        _ => Handled::Answer(handle_plain(state, subnet, call, method), call.cycles()),
    }
}

/// The methods that answer at once and take no cycles.
fn handle_plain(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    call: &Call,
    method: MethodName,
) -> Result<Vec<u8>, UserError> {
    let (sender, arg) = (call.sender(), call.arg());
    match method {
        MethodName::ProvisionalCreateCanisterWithCycles => {
            create::provisional_create(state, subnet, call)
        }
        MethodName::ProvisionalTopUpCanister => create::provisional_top_up(state, decode(arg)?),
        MethodName::CanisterStatus => status::canister_status(state, subnet, sender, decode(arg)?),
        MethodName::CanisterMetrics => status::canister_metrics(state, sender, decode(arg)?),
        MethodName::CanisterInfo => match call {
            Call::Ingress(_) => Err(user_call(method)),
            Call::Request(_) => info::canister_info(state, decode(arg)?),
        },
        MethodName::CanisterMetadata => match call {
            Call::Ingress(_) => Err(user_call(method)),
            Call::Request(_) => info::canister_metadata(state, sender, &decode(arg)?),
        },
        MethodName::UpdateSettings => {
            let result = settings::update_settings(state, subnet, call);
            settings::charge_afterwards(state, subnet, call);
            result
        }
        MethodName::StartCanister => lifecycle::start(state, subnet, sender, decode(arg)?),
        MethodName::UninstallCode => lifecycle::uninstall(state, subnet, call),
        MethodName::DeleteCanister => lifecycle::delete(state, sender, decode(arg)?),
        MethodName::UploadChunk => chunks::upload_chunk(state, subnet, sender, decode(arg)?),
        MethodName::StoredChunks => chunks::stored_chunks(state, sender, decode(arg)?),
        MethodName::ClearChunkStore => chunks::clear_chunk_store(state, sender, decode(arg)?),
        MethodName::TakeCanisterSnapshot => snapshots::take(state, subnet, call, &decode(arg)?),
        MethodName::LoadCanisterSnapshot => snapshot_load::load(state, subnet, call, &decode(arg)?),
        MethodName::ListCanisterSnapshots => snapshots::list(state, sender, decode(arg)?),
        MethodName::DeleteCanisterSnapshot => snapshots::delete(state, sender, &decode(arg)?),
        MethodName::ReadCanisterSnapshotMetadata => {
            snapshot_transfer::read_metadata(state, sender, &decode(arg)?)
        }
        MethodName::ReadCanisterSnapshotData => {
            snapshot_transfer::read_data(state, subnet, sender, decode(arg)?)
        }
        MethodName::UploadCanisterSnapshotMetadata => {
            snapshot_transfer::upload_metadata(state, subnet, sender, decode(arg)?)
        }
        MethodName::UploadCanisterSnapshotData => {
            snapshot_transfer::upload_data(state, subnet, sender, &decode(arg)?)
        }
        MethodName::FetchCanisterLogs => Err(UserError::rejected(
            "fetch_canister_logs API is only accessible to end users in non-replicated mode",
        )),
        MethodName::InstallCode
        | MethodName::InstallChunkedCode
        | MethodName::StopCanister
        | MethodName::CreateCanister
        | MethodName::DepositCycles
        | MethodName::RawRand => Ok(empty()),
        MethodName::Unsupported(name) => Err(UserError::unsupported(name)),
    }
}

/// A user's call that the ingress filter should have kept out.
fn user_call(method: MethodName) -> UserError {
    UserError::setting_out_of_range(format!("{} cannot be called by a user.", method.name()))
}
