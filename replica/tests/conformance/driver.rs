//! The network inside, driven the way a client of a PocketIC server would.

use std::borrow::Cow;
use std::sync::Arc;

use candid::Principal;
use ic_transport_types::{Envelope, EnvelopeContent};
use pocket_ic::common::rest::{ExtendedSubnetConfigSet, SubnetSpec};
use replica::core::api::{
    CallError, CanisterAccessError, Ingress, IngressState, MessageId, Query, RejectResponse,
};
use replica::core::instance::{Instance, InstanceConfig};
use replica::core::keys::UnsignedAuthority;
use replica::core::rules::Rules;

use crate::network::{Call, Network, Refusal, Ticket};

/// How long a message is valid, in nanoseconds.
const VALID_NS: u64 = 300_000_000_000;
/// What replicas count besides the envelope as it was sent: the message id, and a byte of their own encoding.
const MORE_BYTES: u64 = 33;

/// Two application subnets.
pub struct World {
    instance: Instance,
    subnets: Vec<Principal>,
    next_message: u64,
}

impl World {
    /// A fresh network that follows these rules.
    pub fn new(rules: Rules) -> Self {
        let config = InstanceConfig {
            subnets: ExtendedSubnetConfigSet {
                application: vec![SubnetSpec::default(), SubnetSpec::default()],
                ..Default::default()
            },
            initial_time_ns: None,
            seed: 7,
            cache_dir: None,
            rules,
        };
        let instance = Instance::new(&config, Arc::new(UnsignedAuthority)).unwrap();
        let mut subnets: Vec<_> = instance
            .topology()
            .subnets()
            .iter()
            .map(|subnet| (subnet.ranges[0].start, subnet.id))
            .collect();
        subnets.sort();
        World {
            instance,
            subnets: subnets.into_iter().map(|(_, id)| id).collect(),
            next_message: 0,
        }
    }
}

fn message_id(ticket: Ticket) -> MessageId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(ticket as u64).to_be_bytes());
    id
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Rejected(reject) => Refusal::Reject(reject),
            CallError::BadRequest(text) => {
                Refusal::bad_request(&format!("BadIngressMessage({text:?})"))
            }
        }
    }
}

impl From<CanisterAccessError> for Refusal {
    fn from(error: CanisterAccessError) -> Self {
        Refusal::bad_request(&match error {
            CanisterAccessError::NotFound(id) => format!("CanisterNotFound(CanisterId({id}))"),
            CanisterAccessError::Empty(id) => format!("CanisterIsEmpty(CanisterId({id}))"),
            CanisterAccessError::TooLarge(id) => format!("StableMemoryTooLarge({id})"),
        })
    }
}

impl Network for World {
    fn subnets(&self) -> Vec<Principal> {
        self.subnets.clone()
    }

    fn submit(&mut self, call: &Call) -> Result<Ticket, Refusal> {
        self.next_message += 1;
        let ticket = self.next_message as Ticket;
        let expiry_ns = self.instance.time_ns() + VALID_NS;
        let content = EnvelopeContent::Call {
            nonce: Some(self.next_message.to_be_bytes().to_vec()),
            ingress_expiry: expiry_ns,
            sender: call.sender,
            canister_id: call.receiver,
            method_name: call.method.clone(),
            arg: call.arg.clone(),
            sender_info: None,
        };
        let envelope = Envelope {
            content: Cow::Owned(content),
            sender_pubkey: None,
            sender_sig: None,
            sender_delegation: None,
        };
        self.instance.submit_ingress(Ingress {
            sender: call.sender,
            receiver: call.receiver,
            method: call.method.clone(),
            arg: call.arg.clone(),
            effective: call.effective,
            message_id: message_id(ticket),
            signed_len_bytes: envelope.encode_bytes().len() as u64 + MORE_BYTES,
            expiry_ns,
        })?;
        Ok(ticket)
    }

    fn status(&self, ticket: Ticket) -> Option<Result<Vec<u8>, RejectResponse>> {
        let status = self.instance.ingress_status(&message_id(ticket))?;
        match &status.state {
            IngressState::Replied(bytes) => Some(Ok(bytes.clone())),
            IngressState::Rejected(reject) => Some(Err(reject.clone())),
            IngressState::Received | IngressState::Processing => None,
        }
    }

    fn round(&mut self) {
        self.instance.round();
    }

    fn query(&mut self, call: &Call) -> Result<Vec<u8>, Refusal> {
        let query = Query {
            sender: call.sender,
            receiver: call.receiver,
            method: call.method.clone(),
            arg: call.arg.clone(),
            effective: call.effective,
        };
        Ok(self.instance.query(&query)?)
    }

    fn advance_time(&mut self, nanos: u64) {
        let time_ns = self.instance.time_ns() + nanos;
        self.instance.set_time(time_ns).unwrap();
    }

    fn stable_memory(&self, canister: &Principal) -> Result<Vec<u8>, Refusal> {
        Ok(self.instance.stable_memory(canister)?)
    }

    fn cycles(&self, canister: &Principal) -> Result<u128, Refusal> {
        Ok(self.instance.cycles(canister)?)
    }

    fn set_stable_memory(&mut self, canister: &Principal, bytes: &[u8]) -> Result<(), Refusal> {
        Ok(self.instance.set_stable_memory(canister, bytes)?)
    }
}
