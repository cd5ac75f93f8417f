//! What goes into an [`Instance`](super::instance::Instance) and what comes out of it.
//!
//! Plain data only. Reject codes, error codes and the reject response itself are the ones of the
//! `pocket-ic` client, so that the REST side serialises them unchanged.

use candid::Principal;
pub use pocket_ic::{ErrorCode, RejectCode, RejectResponse};

/// Identifies an ingress message: the request id the client signed (32 bytes).
pub type MessageId = [u8; 32];

/// Which subnet a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EffectivePrincipal {
    /// Derived from the call itself; where that is impossible, the default subnet.
    None,
    /// The subnet of this id.
    Subnet(Principal),
    /// The subnet whose ranges hold this canister id.
    Canister(Principal),
}

/// An update call as a user submits it. Authentication is over when one of these exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// Who signed the call; the anonymous principal for nobody.
    pub sender: Principal,
    /// The canister called; [`Principal::management_canister`] for the management canister.
    pub receiver: Principal,
    /// Method name, without any `canister_update ` prefix.
    pub method: String,
    /// Argument bytes, passed on unread.
    pub arg: Vec<u8>,
    /// Where the call is routed.
    pub effective: EffectivePrincipal,
    /// The request id; a second message of the same id is taken for a repetition of the first.
    pub message_id: MessageId,
    /// Size of the whole signed message and its id (32 bytes), in bytes: what the size limit is
    /// about. The receiver pays for all of it but the id.
    pub signed_len_bytes: u64,
    /// When the message expires, in nanoseconds since the epoch.
    pub expiry_ns: u64,
}

/// A query call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Who asks.
    pub sender: Principal,
    /// The canister asked; [`Principal::management_canister`] for the management canister.
    pub receiver: Principal,
    /// Method name.
    pub method: String,
    /// Argument bytes.
    pub arg: Vec<u8>,
    /// Where the call is routed.
    pub effective: EffectivePrincipal,
}

/// Why a call got no place in the network at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The request makes no sense to the server (HTTP 400): no such subnet, no effective principal.
    BadRequest(String),
    /// The canister or the ingress filter refused it; never certified.
    Rejected(RejectResponse),
}

impl From<RejectResponse> for CallError {
    fn from(reject: RejectResponse) -> Self {
        CallError::Rejected(reject)
    }
}

/// How far an ingress message has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IngressState {
    /// In the pool of the subnet, not yet taken into a round.
    Received,
    /// A call context exists, or the message waits in the canister's queue.
    Processing,
    /// Answered with these bytes.
    Replied(Vec<u8>),
    /// Answered with a reject; `certified` is set.
    Rejected(RejectResponse),
}

impl IngressState {
    /// Whether the answer is there.
    pub fn is_final(&self) -> bool {
        matches!(self, IngressState::Replied(_) | IngressState::Rejected(_))
    }
}

/// The record of one ingress message, kept for the life of the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressStatus {
    /// Who may read the status.
    pub sender: Principal,
    /// The receiver of the call.
    pub receiver: Principal,
    /// The subnet it was routed to.
    pub subnet: Principal,
    /// How far it has come.
    pub state: IngressState,
}

/// What the state tree of a subnet says about one canister.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanisterView {
    /// The canister.
    pub canister: Principal,
    /// Its subnet.
    pub subnet: Principal,
    /// Controllers, in order of their bytes.
    pub controllers: Vec<Principal>,
    /// SHA-256 of the module as it was installed; `None` when empty.
    pub module_hash: Option<[u8; 32]>,
    /// At most 32 bytes; `None` for an empty canister.
    pub certified_data: Option<Vec<u8>>,
    /// The `icp:` custom sections of the module, in order of their names.
    pub metadata: Vec<MetadataSection>,
    /// When the canister was created, nanoseconds since the epoch.
    pub created_at_ns: u64,
    /// When code was last installed or a snapshot loaded, nanoseconds since the epoch.
    pub last_install_ns: Option<u64>,
}

/// One `icp:` custom section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataSection {
    /// The name after `icp:public ` or `icp:private `.
    pub name: String,
    /// Whether anybody may read it, or the controllers only.
    pub is_public: bool,
    /// The content of the section.
    pub content: Vec<u8>,
}

/// `set_time` with a moment that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "SettingTimeIntoPast(current={current_ns}, set={set_ns}); set a time at or after the current one"
)]
pub struct SetTimeError {
    /// The time of the instance, nanoseconds since the epoch.
    pub current_ns: u64,
    /// The time asked for.
    pub set_ns: u64,
}

/// A REST call that names a canister which cannot serve it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CanisterAccessError {
    /// No such canister on any subnet.
    #[error("CanisterNotFound({0}); create it first or check the id")]
    NotFound(Principal),
    /// The canister has no code, hence no memories.
    #[error("CanisterIsEmpty({0}); install code first")]
    Empty(Principal),
    /// The memory asked for cannot be held.
    #[error("StableMemoryTooLarge({0}); set at most 500 GiB")]
    TooLarge(Principal),
}
