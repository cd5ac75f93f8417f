//! A subnet as the HTTP side sees it: keys and ranges.

use crate::cert::{Authority, CanisterRange, NodeKeys, RootOfTrust, SubnetKeys};
use crate::core::topology::Subnet;
use candid::Principal;
use ic_transport_types::RequestId;
use pocket_ic::common::rest::SubnetKind;
use std::sync::Arc;

/// What certificates and signatures of one subnet are made from.
pub struct HostedSubnet {
    /// The subnet's keys.
    pub keys: Arc<SubnetKeys>,
    /// First and last canister id of its ranges, sorted.
    pub ranges: Vec<CanisterRange>,
    /// The leaf `/subnet/<id>/type`.
    pub type_name: &'static str,
}

impl HostedSubnet {
    /// The subnet as `authority` knows it.
    pub fn new(subnet: &Subnet, authority: &Authority) -> Self {
        Self {
            keys: authority.subnet_keys(&subnet.seed),
            ranges: sorted_ranges(subnet),
            type_name: match subnet.kind {
                SubnetKind::Application
                | SubnetKind::SNS
                | SubnetKind::Fiduciary
                | SubnetKind::TestThresholdKeys => "application",
                SubnetKind::CloudEngine => "cloud_engine",
                SubnetKind::VerifiedApplication => "verified_application",
                SubnetKind::NNS | SubnetKind::II | SubnetKind::Bitcoin | SubnetKind::System => {
                    "system"
                }
            },
        }
    }

    /// The subnet's id.
    pub fn id(&self) -> Principal {
        self.keys.subnet_id()
    }

    /// Who signs for the subnet.
    pub fn root_of_trust(&self) -> RootOfTrust<'_> {
        RootOfTrust {
            keys: &self.keys,
            ranges: &self.ranges,
        }
    }

    /// The node that answers a query: any, but always the same for the same request.
    pub fn answering_node(&self, request_id: &RequestId) -> &NodeKeys {
        let nodes = self.keys.nodes();
        &nodes[usize::from(request_id[0]) % nodes.len()]
    }
}

/// A subnet's canister ranges in order of their ids, as a routing table lists them.
pub fn sorted_ranges(subnet: &Subnet) -> Vec<CanisterRange> {
    let mut ranges = subnet.ranges.clone();
    ranges.sort();
    ranges.iter().map(|range| range.principals()).collect()
}
