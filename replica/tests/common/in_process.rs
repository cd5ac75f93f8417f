//! Drives one instance the way a client of a PocketIC server would.

use std::sync::Arc;

use candid::Principal;
use pocket_ic::common::rest::{ExtendedSubnetConfigSet, SubnetSpec};
use replica::core::api::{
    CallError, EffectivePrincipal, Ingress, IngressState, MessageId, Query, RejectResponse,
};
use replica::core::instance::{Instance, InstanceConfig};
use replica::core::keys::UnsignedAuthority;
use replica::core::rules::Rules;

/// Bytes a client adds to method name and argument of an anonymous call of a canister.
const ENVELOPE_BYTES: u64 = 157;
/// Rounds a client's wait makes, at most, before it asks again.
const ROUNDS_PER_WAIT: usize = 100;
/// How often a client asks again.
const WAITS: usize = 10;

/// Two application subnets.
pub struct World {
    /// The network.
    pub instance: Instance,
    /// Subnets in the order of their canister ranges.
    pub subnets: Vec<Principal>,
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

    /// Submits an update call.
    pub fn submit(
        &mut self,
        sender: Principal,
        receiver: Principal,
        effective: EffectivePrincipal,
        method: &str,
        arg: Vec<u8>,
    ) -> Result<MessageId, CallError> {
        self.next_message += 1;
        let mut message_id = [0; 32];
        message_id[..8].copy_from_slice(&self.next_message.to_be_bytes());
        let signed_len_bytes = ENVELOPE_BYTES + (method.len() + arg.len()) as u64;
        self.instance.submit_ingress(Ingress {
            sender,
            receiver,
            method: method.to_owned(),
            arg,
            effective,
            message_id,
            signed_len_bytes,
            expiry_ns: self.instance.time_ns() + 300_000_000_000,
        })?;
        Ok(message_id)
    }

    /// The answer to a message, once it is there.
    pub fn status(&self, id: &MessageId) -> Option<Result<Vec<u8>, RejectResponse>> {
        match &self.instance.ingress_status(id)?.state {
            IngressState::Replied(bytes) => Some(Ok(bytes.clone())),
            IngressState::Rejected(reject) => Some(Err(reject.clone())),
            IngressState::Received | IngressState::Processing => None,
        }
    }

    /// Lets rounds pass until the answer is there.
    pub fn wait(&mut self, id: &MessageId) -> Result<Vec<u8>, RejectResponse> {
        for _ in 0..ROUNDS_PER_WAIT * WAITS {
            if let Some(answer) = self.status(id) {
                return answer;
            }
            self.instance.round();
        }
        panic!("no answer after {} rounds", ROUNDS_PER_WAIT * WAITS);
    }

    /// Submits an update call and waits for the answer.
    pub fn update(
        &mut self,
        sender: Principal,
        receiver: Principal,
        effective: EffectivePrincipal,
        method: &str,
        arg: Vec<u8>,
    ) -> Result<Vec<u8>, CallError> {
        let id = self.submit(sender, receiver, effective, method, arg)?;
        self.wait(&id).map_err(CallError::Rejected)
    }

    /// Calls the management canister about a canister.
    pub fn manage(
        &mut self,
        sender: Principal,
        canister: Principal,
        method: &str,
        arg: Vec<u8>,
    ) -> Result<Vec<u8>, CallError> {
        self.update(
            sender,
            Principal::management_canister(),
            EffectivePrincipal::Canister(canister),
            method,
            arg,
        )
    }

    /// Asks a query.
    pub fn query(
        &mut self,
        sender: Principal,
        receiver: Principal,
        effective: EffectivePrincipal,
        method: &str,
        arg: Vec<u8>,
    ) -> Result<Vec<u8>, CallError> {
        self.instance.query(&Query {
            sender,
            receiver,
            method: method.to_owned(),
            arg,
            effective,
        })
    }
}
