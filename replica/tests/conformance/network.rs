//! What a network has to offer for scenarios to be played on it.

use candid::Principal;
use replica::core::api::{EffectivePrincipal, RejectResponse};
use serde_json::json;

/// Rounds a client's wait makes, at most, before it asks again.
const ROUNDS_PER_WAIT: usize = 100;
/// How often a client asks again.
const WAITS: usize = 10;

/// Why a request got no reply.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// A reject.
    Reject(RejectResponse),
    /// The server refused the request itself: status and body.
    Http(u64, String),
}

impl Refusal {
    /// A refusal with the server's usual body.
    pub fn bad_request(message: &str) -> Refusal {
        Refusal::Http(400, json!({ "message": message }).to_string())
    }
}

/// A message under way, by the network's own count.
pub type Ticket = usize;

/// A network with two application subnets whose time and rounds are ours.
pub trait Network {
    /// Subnets in the order of their canister ranges.
    fn subnets(&self) -> Vec<Principal>;

    /// Submits an update call.
    fn submit(&mut self, call: &Call) -> Result<Ticket, Refusal>;

    /// The answer to a message, once it is there.
    fn status(&self, ticket: Ticket) -> Option<Result<Vec<u8>, RejectResponse>>;

    /// One round.
    fn round(&mut self);

    /// Asks a query.
    fn query(&mut self, call: &Call) -> Result<Vec<u8>, Refusal>;

    /// Moves the clock.
    fn advance_time(&mut self, nanos: u64);

    /// The stable memory of a canister.
    fn stable_memory(&self, canister: &Principal) -> Result<Vec<u8>, Refusal>;

    /// The balance of a canister.
    fn cycles(&self, canister: &Principal) -> Result<u128, Refusal>;

    /// Replaces the stable memory of a canister.
    fn set_stable_memory(&mut self, canister: &Principal, bytes: &[u8]) -> Result<(), Refusal>;

    /// Lets rounds pass until the answer is there.
    fn wait(&mut self, ticket: Ticket) -> Result<Vec<u8>, RejectResponse> {
        for _ in 0..ROUNDS_PER_WAIT * WAITS {
            if let Some(answer) = self.status(ticket) {
                return answer;
            }
            self.round();
        }
        panic!("no answer after {} rounds", ROUNDS_PER_WAIT * WAITS);
    }

    /// Submits an update call and waits for the answer.
    fn update(&mut self, call: &Call) -> Result<Vec<u8>, Refusal> {
        let ticket = self.submit(call)?;
        self.wait(ticket).map_err(Refusal::Reject)
    }
}

/// An update call or a query.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who calls.
    pub sender: Principal,
    /// Who is called.
    pub receiver: Principal,
    /// Where the call is routed.
    pub effective: EffectivePrincipal,
    /// The method.
    pub method: String,
    /// The argument.
    pub arg: Vec<u8>,
}

impl Call {
    /// A call of the management canister about a canister.
    pub fn management(sender: Principal, canister: Principal, method: &str, arg: Vec<u8>) -> Call {
        Call {
            sender,
            receiver: Principal::management_canister(),
            effective: EffectivePrincipal::Canister(canister),
            method: method.to_owned(),
            arg,
        }
    }

    /// A call of a canister.
    pub fn canister(sender: Principal, canister: Principal, method: &str, arg: Vec<u8>) -> Call {
        Call {
            sender,
            receiver: canister,
            effective: EffectivePrincipal::None,
            method: method.to_owned(),
            arg,
        }
    }
}
