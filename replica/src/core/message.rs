//! Messages between canisters, subnets and users.

use candid::Principal;
use engine::{CallKind, Closure, Entry};

use super::api::{MessageId, RejectCode};
use super::errors::UserError;

/// Identifies a callback of the canister that made the call.
pub type CallbackId = u64;
/// Identifies an open call context.
pub type ContextId = u64;

/// What an answer carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The reply's bytes.
    Reply(Vec<u8>),
    /// A reject.
    Reject {
        /// Who rejects, roughly.
        code: RejectCode,
        /// Why.
        message: String,
    },
}

impl Payload {
    /// The callback that takes this answer, with the reject code and message it can ask for (0 and
    /// empty for a reply).
    pub fn into_entry(
        self,
        reply: Closure,
        reject: Closure,
        kind: CallKind,
    ) -> (Entry, u32, String) {
        match self {
            Payload::Reply(data) => {
                let entry = Entry::Reply {
                    closure: reply,
                    kind,
                    data,
                };
                (entry, 0, String::new())
            }
            Payload::Reject { code, message } => {
                let entry = Entry::Reject {
                    closure: reject,
                    kind,
                    code: code as u32,
                    message: message.clone(),
                };
                (entry, code as u32, message)
            }
        }
    }

    /// A reject with this code and text.
    pub fn reject(code: RejectCode, message: impl Into<String>) -> Self {
        Payload::Reject {
            code,
            message: message.into(),
        }
    }
}

/// A canister sees an error as its code, a colon and its text.
impl From<&UserError> for Payload {
    fn from(error: &UserError) -> Self {
        Payload::reject(
            error.reject_code(),
            format!("{}: {}", error.code, error.description),
        )
    }
}

/// A call from a canister.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The calling canister.
    pub sender: Principal,
    /// The called canister, or a subnet for its management canister.
    pub receiver: Principal,
    /// What the sender knows the call by.
    pub callback: CallbackId,
    /// Method name.
    pub method: String,
    /// Argument bytes.
    pub arg: Vec<u8>,
    /// Cycles attached.
    pub cycles: u128,
    /// When a best-effort call expires, nanoseconds since the epoch; 0 for a guaranteed response.
    pub deadline_ns: u64,
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The canister that called.
    pub originator: Principal,
    /// Who answers.
    pub respondent: Principal,
    /// What the originator knows the call by.
    pub callback: CallbackId,
    /// Cycles that were attached and not accepted.
    pub refund: u128,
    /// The answer.
    pub payload: Payload,
    /// Deadline of the call.
    pub deadline_ns: u64,
}

impl Response {
    /// The answer to a request, from the request's receiver.
    pub fn to(request: &Request, payload: Payload, refund: u128) -> Self {
        Response {
            originator: request.sender,
            respondent: request.receiver,
            callback: request.callback,
            refund,
            payload,
            deadline_ns: request.deadline_ns,
        }
    }
}

/// A user's update call inside a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressMessage {
    /// Its id.
    pub id: MessageId,
    /// Who signed.
    pub sender: Principal,
    /// Canister or management canister.
    pub receiver: Principal,
    /// The canister it is about.
    pub effective: Option<Principal>,
    /// Method name.
    pub method: String,
    /// Argument bytes.
    pub arg: Vec<u8>,
    /// Bytes of the signed message and its id.
    pub signed_len_bytes: u64,
    /// When it expires, nanoseconds since the epoch.
    pub expiry_ns: u64,
}

/// A message that waits for a canister.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// From a user.
    Ingress(IngressMessage),
    /// From a canister.
    Request(Request),
    /// An answer.
    Response(Response),
}

/// A message a canister or a subnet has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A call.
    Request(Request),
    /// An answer.
    Response(Response),
}

impl Output {
    /// Whom it is for.
    pub fn destination(&self) -> Principal {
        match self {
            Output::Request(request) => request.receiver,
            Output::Response(response) => response.originator,
        }
    }

    /// Who sent it.
    pub fn source(&self) -> Principal {
        match self {
            Output::Request(request) => request.sender,
            Output::Response(response) => response.respondent,
        }
    }
}

impl From<Output> for Input {
    fn from(output: Output) -> Self {
        match output {
            Output::Request(request) => Input::Request(request),
            Output::Response(response) => Input::Response(response),
        }
    }
}

/// Who waits for the answer of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A user.
    Ingress {
        /// Who signed.
        sender: Principal,
        /// The message.
        id: MessageId,
    },
    /// A canister.
    Canister {
        /// It.
        sender: Principal,
        /// What it knows the call by.
        callback: CallbackId,
        /// Deadline of the call, nanoseconds since the epoch; 0 for none.
        deadline_ns: u64,
    },
    /// Nobody: heartbeat, timer, hook.
    System,
}

impl Origin {
    /// The caller that `ic0.msg_caller_copy` shows.
    pub fn caller(&self) -> Principal {
        match self {
            Origin::Ingress { sender, .. } | Origin::Canister { sender, .. } => *sender,
            Origin::System => Principal::management_canister(),
        }
    }

    /// The deadline that `ic0.msg_deadline` shows.
    pub fn deadline_ns(&self) -> u64 {
        match self {
            Origin::Canister { deadline_ns, .. } => *deadline_ns,
            _ => 0,
        }
    }
}
