//! New canisters and new cycles.

use candid::{Nat, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterSettings, ChangeDetails, CreateCanisterArgs, CreationRecord,
    DepositCyclesArgs, ProvisionalCreateCanisterWithCyclesArgs, ProvisionalTopUpCanisterArgs,
};

use super::decode::{check_settings, decode, decode_nothing, empty, encode};
use super::settings::validate_change;
use super::{Call, Handled};
use crate::core::api::ErrorCode;
use crate::core::canister::Canister;
use crate::core::errors::UserError;
use crate::core::limits::DEFAULT_PROVISIONAL_CYCLES;
use crate::core::message::{CallbackId, Request};
use crate::core::network::SubnetContext;
use crate::core::settings::{Settings, SettingsChange};
use crate::core::subnet::SubnetState;
use crate::core::topology::{canister_id_of, number_of};

/// `create_canister`, for canisters.
pub fn create_canister(state: &mut SubnetState, subnet: &SubnetContext, call: &Call) -> Handled {
    let sent = call.cycles();
    if let Call::Ingress(_) = call {
        let error = UserError::setting_out_of_range("create_canister cannot be called by a user.");
        return Handled::Answer(Err(error), 0);
    }
    let fee = subnet.prices.creation();
    let result = decode_args(call.arg()).and_then(|args| {
        check_settings(args.settings.as_ref())?;
        if sent < fee {
            return Err(UserError::create_out_of_cycles(sent, fee));
        }
        create(
            state,
            subnet,
            call,
            NewCanister {
                settings: args.settings,
                sender_canister_version: args.sender_canister_version,
                balance: sent - fee,
                id: None,
                fee,
            },
        )
    });
    match result {
        Ok(id) => Handled::Answer(Ok(encode(&CanisterIdRecord { canister_id: id })), 0),
        Err(error) => Handled::Answer(Err(error), sent),
    }
}

/// The argument of `create_canister`. None at all means all defaults. Any argument decodes as none, so that comes
/// second.
///
/// # Errors
/// Bytes that are neither.
pub fn decode_args(arg: &[u8]) -> Result<CreateCanisterArgs, UserError> {
    decode::<CreateCanisterArgs>(arg)
        .or_else(|_| decode_nothing(arg).map(|()| CreateCanisterArgs::default()))
        .map_err(|_| UserError::invalid_payload("Payload deserialization error."))
}

/// `provisional_create_canister_with_cycles`
///
/// # Errors
/// See [`UserError`]: undecodable or invalid settings, a given id that is taken or not allowed.
pub fn provisional_create(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    call: &Call,
) -> Result<Vec<u8>, UserError> {
    let args: ProvisionalCreateCanisterWithCyclesArgs = decode(call.arg())?;
    check_settings(args.settings.as_ref())?;
    let balance = match &args.amount {
        Some(amount) => cycles(amount),
        None => DEFAULT_PROVISIONAL_CYCLES,
    };
    let id = create(
        state,
        subnet,
        call,
        NewCanister {
            settings: args.settings,
            sender_canister_version: args.sender_canister_version,
            balance,
            id: args.specified_id,
            fee: 0,
        },
    )?;
    Ok(encode(&CanisterIdRecord { canister_id: id }))
}

/// An amount of cycles; more than 2^128 is cut.
fn cycles(amount: &Nat) -> u128 {
    u128::try_from(&amount.0).unwrap_or(u128::MAX)
}

/// Creates a canister with `sent` cycles on behalf of the canister `creator`: as [`create_canister`] does, without a
/// message.
///
/// # Errors
/// See [`UserError`]: too few cycles, settings that cannot be had.
pub fn create_for(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    creator: Principal,
    settings: CanisterSettings,
    sent: u128,
) -> Result<Principal, UserError> {
    let args = CreateCanisterArgs {
        settings: Some(settings),
        sender_canister_version: None,
    };
    let call = Call::Request(Request {
        sender: creator,
        receiver: subnet.id,
        callback: CallbackId::default(),
        method: "create_canister".to_owned(),
        arg: encode(&args),
        cycles: sent,
        deadline_ns: 0,
    });
    let Handled::Answer(result, _) = create_canister(state, subnet, &call) else {
        unreachable!("BUG: a canister is created at once");
    };
    let record: CanisterIdRecord = decode(&result?)?;
    Ok(record.canister_id)
}

struct NewCanister {
    settings: Option<CanisterSettings>,
    sender_canister_version: Option<u64>,
    balance: u128,
    id: Option<Principal>,
    fee: u128,
}

fn create(
    state: &mut SubnetState,
    subnet: &SubnetContext,
    call: &Call,
    new: NewCanister,
) -> Result<Principal, UserError> {
    let change = new
        .settings
        .map(SettingsChange::try_from)
        .transpose()?
        .unwrap_or_default();
    let has_variables = change.environment_variables.is_some();
    let id = match new.id {
        None => allocate(state, subnet)?,
        Some(id) => check_given(state, subnet, id)?,
    };
    let settings = Settings::new(vec![call.sender()]);
    let mut canister = Canister::new(id, settings, new.balance, subnet.now_ns);
    validate_change(state, subnet, &canister, &change)?;
    canister.settings.apply(change);
    canister.consumed.creation = new.fee;
    let details = ChangeDetails::Creation(CreationRecord {
        controllers: canister.settings.controllers.clone(),
        environment_variables_hash: has_variables
            .then(|| canister.settings.environment_variables_hash()),
    });
    canister.add_change(
        subnet.now_ns,
        call.origin(new.sender_canister_version),
        details,
    );
    state.canisters.insert(id, canister);
    Ok(id)
}

/// The next id of the range to allocate from: the last range of the subnet.
fn allocate(state: &mut SubnetState, subnet: &SubnetContext) -> Result<Principal, UserError> {
    let (first, last) = allocation_range(subnet);
    let mut next = state.next_canister.max(first);
    while next <= last {
        let id = canister_id_of(next);
        next += 1;
        if !state.canisters.contains_key(&id) {
            state.next_canister = next;
            return Ok(id);
        }
    }
    Err(UserError::out_of_canister_ids())
}

fn allocation_range(subnet: &SubnetContext) -> (u64, u64) {
    let (first, last) = subnet.ranges[subnet.ranges.len() - 1];
    let number = |id: Principal| number_of(&id).expect("BUG: ranges are of canister ids");
    (number(first), number(last))
}

fn check_given(
    state: &SubnetState,
    subnet: &SubnetContext,
    id: Principal,
) -> Result<Principal, UserError> {
    if subnet.route(&id) != Some(subnet.id) {
        return Err(UserError {
            code: ErrorCode::CanisterNotHostedBySubnet,
            description: format!(
                "Unsuccessful validation of specified ID: Specified CanisterId {id} is not hosted by subnet {}.",
                subnet.id
            ),
        });
    }
    let (first, last) = allocation_range(subnet);
    if number_of(&id).is_some_and(|number| (first..=last).contains(&number)) {
        return Err(UserError::invalid_specified_id(id));
    }
    if state.canisters.contains_key(&id) {
        return Err(UserError::canister_id_exists(id));
    }
    Ok(id)
}

/// `provisional_top_up_canister`
///
/// # Errors
/// No such canister.
pub fn provisional_top_up(
    state: &mut SubnetState,
    args: ProvisionalTopUpCanisterArgs,
) -> Result<Vec<u8>, UserError> {
    let canister = state.canister_mut(&args.canister_id)?;
    canister.balance = canister.balance.saturating_add(cycles(&args.amount));
    Ok(empty())
}

/// `deposit_cycles`
pub fn deposit_cycles(state: &mut SubnetState, call: &Call) -> Handled {
    let args = match decode::<DepositCyclesArgs>(call.arg()) {
        Ok(args) => args,
        Err(error) => return Handled::Answer(Err(error), call.cycles()),
    };
    match state.canisters.get_mut(&args.canister_id) {
        None => Handled::Answer(
            Err(UserError::canister_not_found_dot(args.canister_id)),
            call.cycles(),
        ),
        Some(canister) => {
            canister.balance = canister.balance.saturating_add(call.cycles());
            Handled::Answer(Ok(empty()), 0)
        }
    }
}

/// `raw_rand`
pub fn raw_rand(state: &mut SubnetState, call: &Call) -> Handled {
    let result = match call {
        Call::Ingress(_) => Err(UserError::setting_out_of_range(
            "raw_rand cannot be called by a user.",
        )),
        Call::Request(request) => decode_nothing(&request.arg).map(|()| {
            encode(&serde_bytes::ByteBuf::from(
                state.randomness.draw().to_vec(),
            ))
        }),
    };
    Handled::Answer(result, call.cycles())
}
