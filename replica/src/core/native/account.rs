//! Accounts in cycles: who owns how many, and which transfers were seen before.

use std::collections::BTreeMap;

use candid::{CandidType, Principal};
use serde::Deserialize;
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};

/// Cycles that every block costs its sender.
pub const BLOCK_FEE: u128 = 100_000_000;

/// Cycles of the anonymous principal at the start.
const OPENING_BALANCE: u128 = 1 << 127;

/// How long a transfer with a time is remembered, nanoseconds: a day.
const WINDOW_NS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// How far the sender's clock may be off, nanoseconds: two minutes.
const DRIFT_NS: u64 = 2 * 60 * 1_000_000_000;

/// Bytes of a subaccount.
const SUBACCOUNT_BYTES: usize = 32;

/// An ICRC-1 account, as it is written in candid.
#[derive(CandidType, Deserialize, Clone, Debug)]
pub struct Account {
    /// Who owns it.
    pub owner: Principal,
    /// Which of the owner's; the default one when absent.
    pub subaccount: Option<ByteBuf>,
}

/// The same, in its one and only form.
pub type AccountKey = (Principal, [u8; SUBACCOUNT_BYTES]);

/// The key of an account.
///
/// # Errors
/// A subaccount of another length, in words.
pub fn key(owner: Principal, subaccount: Option<&ByteBuf>) -> Result<AccountKey, String> {
    let subaccount = match subaccount {
        None => [0; SUBACCOUNT_BYTES],
        Some(bytes) => <[u8; SUBACCOUNT_BYTES]>::try_from(bytes.as_slice()).map_err(|_| {
            format!(
                "a subaccount has {SUBACCOUNT_BYTES} bytes, not {}",
                bytes.len()
            )
        })?,
    };
    Ok((owner, subaccount))
}

/// All accounts of a ledger.
pub struct Accounts {
    balances: BTreeMap<AccountKey, u128>,
    blocks: u64,
    seen: BTreeMap<[u8; 32], Seen>,
}

#[derive(Clone, Copy)]
struct Seen {
    created_ns: u64,
    block: u64,
    canister: Option<Principal>,
}

/// A transaction that cannot be accepted because of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untimely {
    /// Made too long ago to be told from others.
    TooOld,
    /// Made in the future.
    InFuture {
        /// The ledger's time, nanoseconds since the epoch.
        ledger_time_ns: u64,
    },
    /// Done already.
    Duplicate {
        /// In this block.
        block: u64,
        /// The canister it has created.
        canister: Option<Principal>,
    },
}

/// What makes a transaction the same as another.
#[derive(Clone, Copy)]
pub struct Stamp {
    created_ns: u64,
    digest: [u8; 32],
}

impl Accounts {
    /// One block, in which the anonymous principal gets the opening balance.
    pub fn opening() -> Self {
        let anonymous = (Principal::anonymous(), [0; SUBACCOUNT_BYTES]);
        Self {
            balances: BTreeMap::from([(anonymous, OPENING_BALANCE)]),
            blocks: 1,
            seen: BTreeMap::new(),
        }
    }

    /// Cycles of an account.
    pub fn balance(&self, account: &AccountKey) -> u128 {
        self.balances.get(account).copied().unwrap_or(0)
    }

    /// Cycles of all accounts.
    pub fn total(&self) -> u128 {
        self.balances
            .values()
            .fold(0, |sum: u128, balance| sum.saturating_add(*balance))
    }

    /// Checks the time a sender gave; without one, every transaction is a new one.
    ///
    /// # Errors
    /// [`Untimely`].
    pub fn check_time(
        &mut self,
        created_ns: Option<u64>,
        now_ns: u64,
        sender: &Principal,
        method: &str,
        arg: &[u8],
    ) -> Result<Option<Stamp>, Untimely> {
        let Some(created_ns) = created_ns else {
            return Ok(None);
        };
        let oldest_ns = now_ns.saturating_sub(WINDOW_NS + DRIFT_NS);
        if created_ns < oldest_ns {
            return Err(Untimely::TooOld);
        }
        if created_ns > now_ns.saturating_add(DRIFT_NS) {
            return Err(Untimely::InFuture {
                ledger_time_ns: now_ns,
            });
        }
        self.seen.retain(|_, seen| seen.created_ns >= oldest_ns);
        let mut hasher = Sha256::new();
        hasher.update([sender.as_slice().len() as u8]);
        hasher.update(sender.as_slice());
        hasher.update([method.len() as u8]);
        hasher.update(method);
        hasher.update(arg);
        let digest: [u8; 32] = hasher.finalize().into();
        match self.seen.get(&digest) {
            Some(seen) => Err(Untimely::Duplicate {
                block: seen.block,
                canister: seen.canister,
            }),
            None => Ok(Some(Stamp { created_ns, digest })),
        }
    }

    /// Takes `amount` and the fee from an account and gives `amount` to another, or to nobody; returns the block.
    ///
    /// # Errors
    /// The balance, when it does not suffice; nothing has changed then.
    pub fn transfer(
        &mut self,
        from: AccountKey,
        to: Option<AccountKey>,
        amount: u128,
        stamp: Option<Stamp>,
        canister: Option<Principal>,
    ) -> Result<u64, u128> {
        let balance = self.balance(&from);
        let left = amount
            .checked_add(BLOCK_FEE)
            .and_then(|needed| balance.checked_sub(needed))
            .ok_or(balance)?;
        self.balances.insert(from, left);
        if let Some(to) = to {
            self.give(to, amount);
        }
        let block = self.blocks;
        self.blocks += 1;
        if let Some(stamp) = stamp {
            let seen = Seen {
                created_ns: stamp.created_ns,
                block,
                canister,
            };
            self.seen.insert(stamp.digest, seen);
        }
        Ok(block)
    }

    /// Charges a sender for an attempt that came to nothing; returns the block.
    ///
    /// # Errors
    /// The balance, when not even that can be paid.
    pub fn charge(&mut self, from: AccountKey) -> Result<u64, u128> {
        self.transfer(from, None, 0, None, None)
    }

    fn give(&mut self, to: AccountKey, amount: u128) {
        let balance = self.balances.entry(to).or_default();
        *balance = balance.saturating_add(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: AccountKey = (Principal::management_canister(), [1; 32]);
    const ANONYMOUS: AccountKey = (Principal::anonymous(), [0; 32]);

    #[test]
    fn a_transfer_costs_its_sender_the_fee() {
        let mut accounts = Accounts::opening();
        assert_eq!(accounts.balance(&ANONYMOUS), OPENING_BALANCE);
        let block = accounts.transfer(ANONYMOUS, Some(ALICE), 1_000, None, None);
        assert_eq!(block, Ok(1));
        assert_eq!(accounts.balance(&ALICE), 1_000);
        assert_eq!(accounts.total(), OPENING_BALANCE - BLOCK_FEE);
    }

    #[test]
    fn nobody_spends_more_than_there_is() {
        let mut accounts = Accounts::opening();
        accounts
            .transfer(ANONYMOUS, Some(ALICE), BLOCK_FEE + 1, None, None)
            .unwrap();
        assert_eq!(
            accounts.transfer(ALICE, Some(ANONYMOUS), 2, None, None),
            Err(BLOCK_FEE + 1)
        );
        assert_eq!(
            accounts.transfer(ALICE, Some(ANONYMOUS), u128::MAX, None, None),
            Err(BLOCK_FEE + 1)
        );
        assert_eq!(accounts.balance(&ALICE), BLOCK_FEE + 1);
        assert!(
            accounts
                .transfer(ALICE, Some(ANONYMOUS), 1, None, None)
                .is_ok()
        );
        assert_eq!(accounts.balance(&ALICE), 0);
    }

    #[test]
    fn a_transfer_with_a_time_is_done_once() {
        let mut accounts = Accounts::opening();
        let now_ns = 100 * WINDOW_NS;
        let mut stamp = |created_ns, arg: &[u8]| {
            let stamp = accounts.check_time(
                Some(created_ns),
                now_ns,
                &Principal::anonymous(),
                "icrc1_transfer",
                arg,
            )?;
            let block = accounts.transfer(ANONYMOUS, Some(ALICE), 1, stamp, None);
            Ok(block.unwrap())
        };
        assert_eq!(stamp(now_ns, b"a"), Ok(1));
        let duplicate = Untimely::Duplicate {
            block: 1,
            canister: None,
        };
        assert_eq!(stamp(now_ns, b"a"), Err(duplicate));
        assert_eq!(stamp(now_ns, b"b"), Ok(2));
        assert_eq!(stamp(1, b"c"), Err(Untimely::TooOld));
        assert_eq!(
            stamp(now_ns + WINDOW_NS, b"d"),
            Err(Untimely::InFuture {
                ledger_time_ns: now_ns
            })
        );
    }

    #[test]
    fn a_subaccount_of_zeros_is_the_default_one() {
        let owner = Principal::anonymous();
        let zeros = ByteBuf::from(vec![0; 32]);
        assert_eq!(key(owner, None), key(owner, Some(&zeros)));
        assert!(key(owner, Some(&ByteBuf::from(vec![0; 31]))).is_err());
    }
}
