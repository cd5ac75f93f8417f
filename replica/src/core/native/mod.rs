//! System canisters that are modelled by their answers, not by their code.
//!
//! Tools of the Internet Computer create canisters through the cycles ledger and ask the cycles minting canister where.
//! An instance that was made with these `icp_features` answers for both, at their ids on the mainnet: the methods in
//! [`cycles_ledger`] and [`cycles_minting`] as the real canisters do, all others with a reject that says so. They have
//! no module, no controllers and no cycles of their own, and users alone can call them: to canisters they do not exist.

pub mod account;
mod cycles_ledger;
mod cycles_minting;
mod ledger_types;

use candid::Principal;
use ic_management_canister_types::CanisterSettings;

use super::answer::failed;
use super::api::{ErrorCode, IngressState, MessageId, RejectCode};
use super::errors::UserError;
use account::Accounts;

/// `um5iw-rqaaa-aaaaq-qaaba-cai`
pub const CYCLES_LEDGER: Principal = Principal::from_slice(&[0, 0, 0, 0, 2, 16, 0, 2, 1, 1]);

/// `rkp4c-7iaaa-aaaaa-aaaca-cai`
pub const CYCLES_MINTING: Principal = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 4, 1, 1]);

/// Most calls that wait for the next round.
const MAX_PENDING: usize = 1_000;

/// The canisters an instance answers for.
#[derive(Default)]
pub struct Natives {
    /// The cycles ledger.
    ledger: Option<Accounts>,
    /// Whether there is a cycles minting canister.
    has_minting: bool,
    pending: Vec<NativeCall>,
}

/// An update call that waits for the next round.
#[derive(Clone, Debug)]
pub struct NativeCall {
    /// The message.
    pub id: MessageId,
    /// Who calls.
    pub sender: Principal,
    /// Which of the canisters.
    pub receiver: Principal,
    /// Method name.
    pub method: String,
    /// Argument bytes.
    pub arg: Vec<u8>,
}

/// What native canisters do to the rest of the network.
pub trait Surroundings {
    /// Time of this round, nanoseconds since the epoch.
    fn time_ns(&self) -> u64;

    /// The subnets on which anybody may create canisters, in order.
    fn default_subnets(&self) -> Vec<Principal>;

    /// Creates a canister with `cycles`, of which creation is paid.
    ///
    /// # Errors
    /// Why not, in words.
    fn create_canister(
        &mut self,
        subnet: Principal,
        settings: CanisterSettings,
        cycles: u128,
    ) -> Result<Principal, String>;

    /// Gives a canister cycles.
    ///
    /// # Errors
    /// As the management canister rejects it.
    fn deposit(&mut self, canister: Principal, cycles: u128) -> Result<(), (RejectCode, String)>;
}

impl Natives {
    /// Opens the cycles ledger; the anonymous principal owns 2^127 cycles, as on a PocketIC server.
    pub fn open_cycles_ledger(&mut self) {
        self.ledger = Some(Accounts::opening());
    }

    /// Opens the cycles minting canister.
    pub fn open_cycles_minting(&mut self) {
        self.has_minting = true;
    }

    /// Whether calls of a canister are answered here.
    pub fn serve(&self, canister: &Principal) -> bool {
        (*canister == CYCLES_LEDGER && self.ledger.is_some())
            || (*canister == CYCLES_MINTING && self.has_minting)
    }

    /// Takes an update call in; [`Natives::execute`] answers it.
    ///
    /// # Errors
    /// Too many calls wait already.
    pub fn push(&mut self, call: NativeCall) -> Result<(), UserError> {
        if self.pending.len() >= MAX_PENDING {
            return Err(UserError {
                code: ErrorCode::SubnetOversubscribed,
                description: format!(
                    "{MAX_PENDING} calls wait for canister {}; try again after a round",
                    call.receiver
                ),
            });
        }
        self.pending.push(call);
        Ok(())
    }

    /// Answers all calls that wait, in the order they came.
    pub fn execute(&mut self, around: &mut dyn Surroundings) -> Vec<(MessageId, IngressState)> {
        let calls = std::mem::take(&mut self.pending);
        calls
            .into_iter()
            .map(|call| {
                let state = match self.update(&call, around) {
                    Ok(bytes) => IngressState::Replied(bytes),
                    Err(error) => failed(error),
                };
                (call.id, state)
            })
            .collect()
    }

    fn update(
        &mut self,
        call: &NativeCall,
        around: &mut dyn Surroundings,
    ) -> Result<Vec<u8>, UserError> {
        if call.receiver == CYCLES_LEDGER
            && let Some(accounts) = &mut self.ledger
            && let Some(answer) = cycles_ledger::update(accounts, call, around)
        {
            return answer;
        }
        // Queries can be called, too.
        self.query(&call.receiver, &call.method, &call.arg, around)
    }

    /// Answers a query.
    ///
    /// # Errors
    /// An argument of another type, or a method that is not modelled.
    pub fn query(
        &self,
        canister: &Principal,
        method: &str,
        arg: &[u8],
        around: &dyn Surroundings,
    ) -> Result<Vec<u8>, UserError> {
        let answer = match &self.ledger {
            Some(accounts) if *canister == CYCLES_LEDGER => {
                cycles_ledger::query(accounts, method, arg)
            }
            _ => cycles_minting::query(method, around),
        };
        answer.unwrap_or_else(|| Err(not_modelled(canister, method)))
    }
}

fn not_modelled(canister: &Principal, method: &str) -> UserError {
    UserError {
        code: ErrorCode::CanisterMethodNotFound,
        description: format!(
            "This stand-in for PocketIC models only a few methods of canister {canister}, and not '{method}'; run \
             against a real PocketIC server for it."
        ),
    }
}

/// What the code of a canister does with an argument of another type.
fn undecodable(canister: &Principal, error: &candid::Error) -> UserError {
    UserError {
        code: ErrorCode::CanisterCalledTrap,
        description: format!(
            "Error from Canister {canister}: Canister called `ic0.trap` with message: 'failed to decode call \
             arguments: {error}'"
        ),
    }
}
