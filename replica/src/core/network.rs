//! What a subnet knows of itself and of the others while it runs a round or a query.

use std::collections::BTreeSet;

use candid::Principal;
use engine::Engine;
use pocket_ic::common::rest::{CanisterCyclesCostSchedule, SubnetInstructionConfig, SubnetKind};

use super::cycles::Prices;
use super::rules::Rules;
use super::topology::{Topology, canister_id_of};

/// One subnet, as far as running code on it asks.
#[derive(Clone)]
pub struct SubnetContext {
    /// Runs code.
    pub engine: Engine,
    /// The subnet's id.
    pub id: Principal,
    /// Where its keys come from.
    pub seed: [u8; 32],
    /// Nodes.
    pub size_nodes: u64,
    /// Its prices.
    pub prices: Prices,
    /// Whether it is the NNS.
    pub is_nns: bool,
    /// Whether instruction limits are all but lifted.
    pub is_benchmarking: bool,
    /// Its canister ranges.
    pub ranges: Vec<(Principal, Principal)>,
    /// DER public key of the root subnet.
    pub root_key: Vec<u8>,
    /// All subnets with their ranges.
    pub routes: Vec<(Principal, Vec<(Principal, Principal)>)>,
    /// Which rules it follows.
    pub rules: Rules,
    /// Time of this round, nanoseconds since the epoch.
    pub now_ns: u64,
    /// Memory that canisters' code may still take, in bytes: limited by tests only.
    pub growth_max_bytes: u64,
}

impl SubnetContext {
    /// The context of a subnet of the topology, at a time.
    pub fn new(
        engine: &Engine,
        topology: &Topology,
        rules: Rules,
        id: &Principal,
        now_ns: u64,
    ) -> Option<Self> {
        let subnet = topology.subnet(id)?;
        let principals = |ranges: &[super::topology::IdRange]| {
            ranges
                .iter()
                .map(|range| range.principals())
                .collect::<Vec<_>>()
        };
        Some(SubnetContext {
            engine: engine.clone(),
            id: subnet.id,
            seed: subnet.seed,
            size_nodes: subnet.size_nodes,
            prices: Prices::new(
                subnet.size_nodes,
                subnet.is_system() || subnet.cost_schedule == CanisterCyclesCostSchedule::Free,
            ),
            is_nns: subnet.kind == SubnetKind::NNS,
            is_benchmarking: subnet.instruction_config == SubnetInstructionConfig::Benchmarking,
            ranges: principals(&subnet.ranges),
            root_key: topology.root().public_key_der.clone(),
            routes: topology
                .subnets()
                .iter()
                .map(|subnet| (subnet.id, principals(&subnet.ranges)))
                .collect(),
            rules,
            now_ns,
            growth_max_bytes: u64::MAX,
        })
    }

    /// The subnet a principal is on: its own id, or a canister id in its ranges.
    pub fn route(&self, principal: &Principal) -> Option<Principal> {
        if self.routes.iter().any(|(id, _)| id == principal) {
            return Some(*principal);
        }
        let has_canister_form = principal.as_slice().len() == canister_id_of(0).as_slice().len();
        self.routes
            .iter()
            .find(|(_, ranges)| {
                has_canister_form
                    && ranges
                        .iter()
                        .any(|(start, end)| start <= principal && principal <= end)
            })
            .map(|(id, _)| *id)
    }

    /// The ids of all subnets.
    pub fn subnets(&self) -> BTreeSet<Principal> {
        self.routes.iter().map(|(id, _)| *id).collect()
    }
}
