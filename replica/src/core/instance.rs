//! One network: subnets, canisters, a clock, and rounds on request.

use std::sync::Arc;

use candid::Principal;
use pocket_ic::common::rest::ExtendedSubnetConfigSet;

use super::api::{
    CallError, CanisterAccessError, CanisterView, Ingress, IngressStatus, MessageId, Query,
    SetTimeError,
};
use super::keys::SubnetAuthority;
use super::topology::{Topology, TopologyError};

/// 2021-05-06T19:17:10Z, where the time of an instance starts unless told otherwise.
pub const GENESIS_NS: u64 = 1_620_328_630_000_000_000;

/// What an instance is made from.
#[derive(Clone, Debug)]
pub struct InstanceConfig {
    /// The subnets.
    pub subnets: ExtendedSubnetConfigSet,
    /// Time of the first round, nanoseconds since the epoch; [`GENESIS_NS`] when absent.
    pub initial_time_ns: Option<u64>,
    /// Feeds `raw_rand`.
    pub seed: u64,
    /// Where compiled modules are kept between processes.
    pub cache_dir: Option<std::path::PathBuf>,
}

/// One network.
pub struct Instance {
    topology: Topology,
    time_ns: u64,
}

impl Instance {
    /// Lays out the network and runs its first round.
    ///
    /// # Errors
    /// [`TopologyError`] for a configuration that cannot be had.
    pub fn new(
        config: &InstanceConfig,
        authority: Arc<dyn SubnetAuthority>,
    ) -> Result<Self, TopologyError> {
        Ok(Instance {
            topology: Topology::new(&config.subnets, authority)?,
            time_ns: config.initial_time_ns.unwrap_or(GENESIS_NS) + 1,
        })
    }

    /// The subnets and their ranges.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The time of the instance, nanoseconds since the epoch.
    pub fn time_ns(&self) -> u64 {
        self.time_ns
    }

    /// Moves the clock forward; the next round happens at that time.
    ///
    /// # Errors
    /// [`SetTimeError`] when the time has passed.
    pub fn set_time(&mut self, time_ns: u64) -> Result<(), SetTimeError> {
        let _ = time_ns;
        unimplemented!()
    }

    /// Moves the clock forward and makes the state of that time readable at once (no round).
    ///
    /// # Errors
    /// [`SetTimeError`] when the time has passed.
    pub fn set_certified_time(&mut self, time_ns: u64) -> Result<(), SetTimeError> {
        let _ = time_ns;
        unimplemented!()
    }

    /// Puts an update call into the pool of the subnet it is routed to, whose id is returned.
    ///
    /// # Errors
    /// [`CallError`] when it gets no place there.
    pub fn submit_ingress(&mut self, ingress: Ingress) -> Result<Principal, CallError> {
        let _ = ingress;
        unimplemented!()
    }

    /// How far a message has come; `None` when the id is unknown.
    pub fn ingress_status(&self, id: &MessageId) -> Option<&IngressStatus> {
        let _ = id;
        unimplemented!()
    }

    /// One round on every subnet.
    pub fn round(&mut self) {
        unimplemented!()
    }

    /// Answers a query call from the present state.
    ///
    /// # Errors
    /// [`CallError`] with what a caller sees instead of a reply.
    pub fn query(&mut self, query: &Query) -> Result<Vec<u8>, CallError> {
        let _ = query;
        unimplemented!()
    }

    /// Whether a canister of this id exists.
    pub fn canister_exists(&self, canister: &Principal) -> bool {
        let _ = canister;
        unimplemented!()
    }

    /// What the state tree says about a canister; `None` when there is none.
    pub fn canister(&self, canister: &Principal) -> Option<CanisterView> {
        let _ = canister;
        unimplemented!()
    }

    /// The cycles a canister has.
    ///
    /// # Errors
    /// [`CanisterAccessError::NotFound`].
    pub fn cycles(&self, canister: &Principal) -> Result<u128, CanisterAccessError> {
        let _ = canister;
        unimplemented!()
    }

    /// Gives a canister cycles out of nothing and returns its new balance.
    ///
    /// # Errors
    /// [`CanisterAccessError::NotFound`].
    pub fn add_cycles(
        &mut self,
        canister: &Principal,
        amount: u128,
    ) -> Result<u128, CanisterAccessError> {
        let _ = (canister, amount);
        unimplemented!()
    }

    /// A copy of the stable memory of a canister.
    ///
    /// # Errors
    /// [`CanisterAccessError`].
    pub fn stable_memory(&self, canister: &Principal) -> Result<Vec<u8>, CanisterAccessError> {
        let _ = canister;
        unimplemented!()
    }

    /// Replaces the stable memory of a canister; the length is rounded up to whole pages.
    ///
    /// # Errors
    /// [`CanisterAccessError`].
    pub fn set_stable_memory(
        &mut self,
        canister: &Principal,
        bytes: &[u8],
    ) -> Result<(), CanisterAccessError> {
        let _ = (canister, bytes);
        unimplemented!()
    }

    /// Removes a subnet with all its canisters; returns whether it existed.
    pub fn delete_subnet(&mut self, subnet: &Principal) -> bool {
        let _ = subnet;
        unimplemented!()
    }

    /// All canisters of a subnet, in order.
    pub fn canisters_of(&self, subnet: &Principal) -> Vec<Principal> {
        let _ = subnet;
        unimplemented!()
    }
}
