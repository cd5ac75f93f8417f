//! What the cycles ledger takes and gives, in candid.

use candid::{CandidType, Nat, Principal};
use ic_management_canister_types::CanisterSettings;
use serde::Deserialize;
use serde_bytes::ByteBuf;

use super::account::{Account, Untimely};
use crate::core::api::RejectCode;

/// Argument of `icrc1_transfer`.
#[derive(CandidType, Deserialize, Debug)]
pub struct TransferArgs {
    pub from_subaccount: Option<ByteBuf>,
    pub to: Account,
    pub amount: Nat,
    pub fee: Option<Nat>,
    pub created_at_time: Option<u64>,
}

/// Why `icrc1_transfer` changed nothing.
#[derive(CandidType, Deserialize, Debug)]
pub enum TransferError {
    BadFee { expected_fee: Nat },
    InsufficientFunds { balance: Nat },
    TooOld,
    CreatedInFuture { ledger_time: u64 },
    Duplicate { duplicate_of: Nat },
    GenericError { error_code: Nat, message: String },
}

/// Argument of `create_canister`.
#[derive(CandidType, Deserialize, Debug)]
pub struct CreateCanisterArgs {
    pub from_subaccount: Option<ByteBuf>,
    pub created_at_time: Option<u64>,
    pub amount: Nat,
    pub creation_args: Option<CreationArgs>,
}

/// Where and how a canister is created.
#[derive(CandidType, Deserialize, Debug, Default)]
pub struct CreationArgs {
    pub subnet_selection: Option<SubnetSelection>,
    pub settings: Option<CanisterSettings>,
}

/// Where a canister is created.
#[derive(CandidType, Deserialize, Debug)]
pub enum SubnetSelection {
    Subnet { subnet: Principal },
    Filter { subnet_type: Option<String> },
}

/// Result of `create_canister`.
#[derive(CandidType, Deserialize, Debug)]
pub struct Created {
    pub block_id: Nat,
    pub canister_id: Principal,
}

/// Why `create_canister` created nothing.
#[derive(CandidType, Deserialize, Debug)]
pub enum CreateCanisterError {
    InsufficientFunds {
        balance: Nat,
    },
    TooOld,
    CreatedInFuture {
        ledger_time: u64,
    },
    Duplicate {
        duplicate_of: Nat,
        canister_id: Option<Principal>,
    },
    FailedToCreate {
        fee_block: Option<Nat>,
        refund_block: Option<Nat>,
        error: String,
    },
    GenericError {
        error_code: Nat,
        message: String,
    },
}

/// Argument of `withdraw`.
#[derive(CandidType, Deserialize, Debug)]
pub struct WithdrawArgs {
    pub from_subaccount: Option<ByteBuf>,
    pub to: Principal,
    pub created_at_time: Option<u64>,
    pub amount: Nat,
}

/// Reject codes as the ledger names them.
#[derive(CandidType, Deserialize, Debug)]
pub enum RejectionCode {
    NoError,
    CanisterError,
    SysTransient,
    DestinationInvalid,
    Unknown,
    SysFatal,
    CanisterReject,
}

/// Why `withdraw` moved nothing.
#[derive(CandidType, Deserialize, Debug)]
pub enum WithdrawError {
    InsufficientFunds {
        balance: Nat,
    },
    TooOld,
    CreatedInFuture {
        ledger_time: u64,
    },
    Duplicate {
        duplicate_of: Nat,
    },
    InvalidReceiver {
        receiver: Principal,
    },
    FailedToWithdraw {
        fee_block: Option<Nat>,
        rejection_code: RejectionCode,
        rejection_reason: String,
    },
    GenericError {
        error_code: Nat,
        message: String,
    },
}

impl From<RejectCode> for RejectionCode {
    fn from(code: RejectCode) -> Self {
        match code {
            RejectCode::SysFatal => Self::SysFatal,
            RejectCode::SysTransient => Self::SysTransient,
            RejectCode::DestinationInvalid => Self::DestinationInvalid,
            RejectCode::CanisterReject => Self::CanisterReject,
            RejectCode::CanisterError => Self::CanisterError,
            RejectCode::SysUnknown => Self::Unknown,
        }
    }
}

/// Errors that all three methods share.
pub trait LedgerError {
    /// The account holds too little.
    fn insufficient(balance: u128) -> Self;
    /// The time the sender gave does not do.
    fn untimely(untimely: Untimely) -> Self;
    /// The argument makes no sense.
    fn generic(message: String) -> Self;
}

macro_rules! ledger_error {
    ($name:ident, $duplicate:expr) => {
        impl LedgerError for $name {
            fn insufficient(balance: u128) -> Self {
                Self::InsufficientFunds {
                    balance: Nat::from(balance),
                }
            }

            fn untimely(untimely: Untimely) -> Self {
                match untimely {
                    Untimely::TooOld => Self::TooOld,
                    Untimely::InFuture { ledger_time_ns } => Self::CreatedInFuture {
                        ledger_time: ledger_time_ns,
                    },
                    Untimely::Duplicate { block, canister } => {
                        let duplicate: fn(Nat, Option<Principal>) -> Self = $duplicate;
                        duplicate(Nat::from(block), canister)
                    }
                }
            }

            fn generic(message: String) -> Self {
                Self::GenericError {
                    error_code: Nat::from(0u8),
                    message,
                }
            }
        }
    };
}

ledger_error!(TransferError, |duplicate_of, _| Self::Duplicate {
    duplicate_of
});
ledger_error!(CreateCanisterError, |duplicate_of, canister_id| {
    Self::Duplicate {
        duplicate_of,
        canister_id,
    }
});
ledger_error!(WithdrawError, |duplicate_of, _| Self::Duplicate {
    duplicate_of
});
