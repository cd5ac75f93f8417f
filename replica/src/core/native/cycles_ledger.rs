//! The cycles ledger: balances, transfers, and canisters created and topped up from them.
//!
//! What fails after the cycles were taken is refunded whole and costs the block fee.

use candid::utils::ArgumentEncoder;
use candid::{CandidType, Nat, Principal};
use serde::Deserialize;

use super::account::{Account, AccountKey, Accounts, BLOCK_FEE, key};
use super::ledger_types::{
    CreateCanisterArgs, CreateCanisterError, Created, LedgerError, SubnetSelection, TransferArgs,
    TransferError, WithdrawArgs, WithdrawError,
};
use super::{CYCLES_LEDGER, NativeCall, Surroundings, undecodable};
use crate::core::errors::UserError;

type Answer = Result<Vec<u8>, UserError>;

/// Digits after the point: amounts are shown in trillions.
const DECIMALS: u8 = 12;

/// Answers a query method; `None` when it is none that is modelled.
pub fn query(accounts: &Accounts, method: &str, arg: &[u8]) -> Option<Answer> {
    Some(match method {
        "icrc1_balance_of" => decode(arg).map(|account: Account| {
            // An account that cannot exist holds nothing.
            let balance = key(account.owner, account.subaccount.as_ref())
                .map_or(0, |account| accounts.balance(&account));
            encode((Nat::from(balance),))
        }),
        "icrc1_total_supply" => Ok(encode((Nat::from(accounts.total()),))),
        "icrc1_fee" => Ok(encode((Nat::from(BLOCK_FEE),))),
        "icrc1_decimals" => Ok(encode((DECIMALS,))),
        "icrc1_symbol" => Ok(encode(("TCYCLES",))),
        "icrc1_name" => Ok(encode(("Trillion Cycles",))),
        _ => return None,
    })
}

/// Answers an update method; `None` when it is none that is modelled.
pub fn update(
    accounts: &mut Accounts,
    call: &NativeCall,
    around: &mut dyn Surroundings,
) -> Option<Answer> {
    Some(match call.method.as_str() {
        "icrc1_transfer" => {
            decode(&call.arg).map(|args| encode((transfer(accounts, call, around, &args),)))
        }
        "create_canister" => {
            decode(&call.arg).map(|args| encode((create_canister(accounts, call, around, args),)))
        }
        "withdraw" => {
            decode(&call.arg).map(|args| encode((withdraw(accounts, call, around, &args),)))
        }
        _ => return None,
    })
}

fn transfer(
    accounts: &mut Accounts,
    call: &NativeCall,
    around: &dyn Surroundings,
    args: &TransferArgs,
) -> Result<Nat, TransferError> {
    let from = account(call.sender, args.from_subaccount.as_ref())?;
    let to = account(args.to.owner, args.to.subaccount.as_ref())?;
    if args.fee.as_ref().is_some_and(|fee| *fee != BLOCK_FEE) {
        return Err(TransferError::BadFee {
            expected_fee: Nat::from(BLOCK_FEE),
        });
    }
    let stamp = accounts
        .check_time(
            args.created_at_time,
            around.time_ns(),
            &call.sender,
            &call.method,
            &call.arg,
        )
        .map_err(TransferError::untimely)?;
    accounts
        .transfer(from, Some(to), cycles(&args.amount), stamp, None)
        .map(Nat::from)
        .map_err(TransferError::insufficient)
}

fn create_canister(
    accounts: &mut Accounts,
    call: &NativeCall,
    around: &mut dyn Surroundings,
    args: CreateCanisterArgs,
) -> Result<Created, CreateCanisterError> {
    let from = account(call.sender, args.from_subaccount.as_ref())?;
    let stamp = accounts
        .check_time(
            args.created_at_time,
            around.time_ns(),
            &call.sender,
            &call.method,
            &call.arg,
        )
        .map_err(CreateCanisterError::untimely)?;
    let amount = affordable(accounts, from, &args.amount)?;
    let creation = args.creation_args.unwrap_or_default();
    let mut settings = creation.settings.unwrap_or_default();
    settings
        .controllers
        .get_or_insert_with(|| vec![call.sender]);
    let created = select(around, creation.subnet_selection.as_ref())
        .and_then(|subnet| around.create_canister(subnet, settings, amount));
    match created {
        Ok(canister_id) => {
            let block = accounts
                .transfer(from, None, amount, stamp, Some(canister_id))
                .map_err(CreateCanisterError::insufficient)?;
            Ok(Created {
                block_id: Nat::from(block),
                canister_id,
            })
        }
        Err(error) => Err(CreateCanisterError::FailedToCreate {
            fee_block: accounts.charge(from).ok().map(Nat::from),
            refund_block: None,
            error,
        }),
    }
}

fn withdraw(
    accounts: &mut Accounts,
    call: &NativeCall,
    around: &mut dyn Surroundings,
    args: &WithdrawArgs,
) -> Result<Nat, WithdrawError> {
    let from = account(call.sender, args.from_subaccount.as_ref())?;
    let stamp = accounts
        .check_time(
            args.created_at_time,
            around.time_ns(),
            &call.sender,
            &call.method,
            &call.arg,
        )
        .map_err(WithdrawError::untimely)?;
    if crate::core::topology::number_of(&args.to).is_none() {
        return Err(WithdrawError::InvalidReceiver { receiver: args.to });
    }
    let amount = affordable(accounts, from, &args.amount)?;
    match around.deposit(args.to, amount) {
        Ok(()) => accounts
            .transfer(from, None, amount, stamp, None)
            .map(Nat::from)
            .map_err(WithdrawError::insufficient),
        Err((code, reason)) => Err(WithdrawError::FailedToWithdraw {
            fee_block: accounts.charge(from).ok().map(Nat::from),
            rejection_code: code.into(),
            rejection_reason: reason,
        }),
    }
}

/// The subnet that a selection means: of those open to anybody, the first unless one is named.
fn select(
    around: &dyn Surroundings,
    selection: Option<&SubnetSelection>,
) -> Result<Principal, String> {
    let open = around.default_subnets();
    match selection {
        None | Some(SubnetSelection::Filter { subnet_type: None }) => open
            .first()
            .copied()
            .ok_or_else(|| "No subnets in which to create a canister.".to_owned()),
        Some(SubnetSelection::Subnet { subnet }) if open.contains(subnet) => Ok(*subnet),
        Some(SubnetSelection::Subnet { subnet }) => Err(format!(
            "Subnet {subnet} does not exist or is not open to everybody; choose an application subnet"
        )),
        Some(SubnetSelection::Filter {
            subnet_type: Some(name),
        }) => Err(format!(
            "This stand-in for PocketIC knows no subnet type `{name}`; name a subnet"
        )),
    }
}

/// An amount that the account can pay, fee included.
fn affordable<E: LedgerError>(
    accounts: &Accounts,
    from: AccountKey,
    amount: &Nat,
) -> Result<u128, E> {
    let balance = accounts.balance(&from);
    let amount = cycles(amount);
    match amount.checked_add(BLOCK_FEE) {
        Some(needed) if needed <= balance => Ok(amount),
        _ => Err(E::insufficient(balance)),
    }
}

fn account<E: LedgerError>(
    owner: Principal,
    subaccount: Option<&serde_bytes::ByteBuf>,
) -> Result<AccountKey, E> {
    key(owner, subaccount).map_err(E::generic)
}

/// An amount; what does not fit is more than anybody has.
fn cycles(amount: &Nat) -> u128 {
    u128::try_from(&amount.0).unwrap_or(u128::MAX)
}

fn decode<T>(arg: &[u8]) -> Result<T, UserError>
where
    T: CandidType + for<'de> Deserialize<'de>,
{
    candid::decode_one(arg).map_err(|error| undecodable(&CYCLES_LEDGER, &error))
}

fn encode<T: ArgumentEncoder>(result: T) -> Vec<u8> {
    candid::encode_args(result).expect("BUG: a ledger's results are candid types")
}
