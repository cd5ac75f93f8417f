//! Subnets, their canister ranges and the routing of calls.
//!
//! Ranges are handed out the way a PocketIC server does: named subnets have their mainnet ranges
//! and one range to allocate from; every other subnet gets the next free block of 2^20 ids, from
//! the top of the id space downwards.

use std::sync::Arc;

use candid::Principal;
use pocket_ic::common::rest::{
    CanisterCyclesCostSchedule, ExtendedSubnetConfigSet, SubnetInstructionConfig, SubnetKind,
    SubnetSpec,
};
use sha2::{Digest as _, Sha256};

use super::keys::SubnetAuthority;

/// Canister ids per block.
pub const CANISTER_IDS_PER_SUBNET: u64 = 1 << 20;
/// Blocks below this number are mainnet's and never handed out for allocation.
const MAINNET_SUBNETS_MAX: u64 = 1024;

/// Canister ids from `start` to `end`, both included, as the numbers inside the ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdRange {
    /// First id.
    pub start: u64,
    /// Last id.
    pub end: u64,
}

impl IdRange {
    fn overlaps(&self, other: &IdRange) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    /// The ids at both ends.
    pub fn principals(&self) -> (Principal, Principal) {
        (canister_id_of(self.start), canister_id_of(self.end))
    }
}

/// The canister id of a number: 8 bytes big endian, then `01 01`.
pub fn canister_id_of(number: u64) -> Principal {
    let mut bytes = [0u8; 10];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8..].copy_from_slice(&[1, 1]);
    Principal::from_slice(&bytes)
}

/// The number inside a canister id, if it is one.
pub fn number_of(canister: &Principal) -> Option<u64> {
    match canister.as_slice().split_at_checked(8)? {
        (number, [1, 1]) => Some(u64::from_be_bytes(number.try_into().ok()?)),
        _ => None,
    }
}

/// One subnet.
#[derive(Clone, Debug)]
pub struct Subnet {
    /// Self-authenticating id of its public key.
    pub id: Principal,
    /// Its public key, DER.
    pub public_key_der: Vec<u8>,
    /// Where its keys come from.
    pub seed: [u8; 32],
    /// What it is for.
    pub kind: SubnetKind,
    /// Nodes; cycles prices are per 13 of them.
    pub size_nodes: u64,
    /// Production limits, or very high ones.
    pub instruction_config: SubnetInstructionConfig,
    /// Whether cycles are charged.
    pub cost_schedule: CanisterCyclesCostSchedule,
    /// Who administers it, besides controllers.
    pub admins: Option<Vec<Principal>>,
    /// All ranges, the one to allocate from last.
    pub ranges: Vec<IdRange>,
}

impl Subnet {
    /// Whether the subnet has the looser limits of a system subnet.
    pub fn is_system(&self) -> bool {
        matches!(
            self.kind,
            SubnetKind::NNS | SubnetKind::System | SubnetKind::II | SubnetKind::Bitcoin
        )
    }

    fn allocation_range(&self) -> IdRange {
        self.ranges[self.ranges.len() - 1]
    }
}

/// Why an instance cannot be laid out as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// The configuration contradicts itself.
    #[error("the subnet configuration is invalid: {0}")]
    Invalid(String),
    /// A kind of subnet, or a state source, that this stand-in does not have.
    #[error("the stand-in does not support {0}; use a real PocketIC server for it")]
    Unsupported(String),
}

/// All subnets of an instance, in the order of their creation.
pub struct Topology {
    subnets: Vec<Subnet>,
    assigned: Vec<IdRange>,
    blocks_handed_out: u64,
    default_effective_canister: Principal,
    authority: Arc<dyn SubnetAuthority>,
}

impl Topology {
    /// Lays out the subnets of a configuration.
    ///
    /// # Errors
    /// [`TopologyError`] for an invalid or unsupported configuration.
    pub fn new(
        config: &ExtendedSubnetConfigSet,
        authority: Arc<dyn SubnetAuthority>,
    ) -> Result<Self, TopologyError> {
        config.validate().map_err(TopologyError::Invalid)?;
        if config.test_threshold_keys.is_some() {
            return Err(TopologyError::Unsupported(
                "a test_threshold_keys subnet".into(),
            ));
        }
        let mut topology = Topology {
            subnets: Vec::new(),
            assigned: Vec::new(),
            blocks_handed_out: 0,
            default_effective_canister: Principal::management_canister(),
            authority,
        };
        let named = [
            (SubnetKind::NNS, &config.nns),
            (SubnetKind::SNS, &config.sns),
            (SubnetKind::II, &config.ii),
            (SubnetKind::Fiduciary, &config.fiduciary),
            (SubnetKind::Bitcoin, &config.bitcoin),
        ];
        let unnamed = [
            (SubnetKind::System, &config.system),
            (SubnetKind::Application, &config.application),
            (SubnetKind::CloudEngine, &config.cloud_engine),
            (
                SubnetKind::VerifiedApplication,
                &config.verified_application,
            ),
        ];
        let specs = named
            .into_iter()
            .filter_map(|(kind, spec)| spec.as_ref().map(|spec| (kind, spec)))
            .chain(
                unnamed
                    .into_iter()
                    .flat_map(|(kind, specs)| specs.iter().map(move |spec| (kind, spec))),
            );
        for (kind, spec) in specs {
            topology.add(kind, spec)?;
        }
        topology.default_effective_canister = topology.pick_default();
        Ok(topology)
    }

    fn add(&mut self, kind: SubnetKind, spec: &SubnetSpec) -> Result<(), TopologyError> {
        if spec.get_state_path().is_some() {
            return Err(TopologyError::Unsupported(
                "subnet states loaded from a path".into(),
            ));
        }
        let mut ranges = mainnet_ranges(kind);
        self.assigned.extend(&ranges);
        ranges.push(self.next_block());
        self.push(kind, spec, ranges);
        Ok(())
    }

    fn push(&mut self, kind: SubnetKind, spec: &SubnetSpec, ranges: Vec<IdRange>) {
        let seed: [u8; 32] = {
            let mut hasher = Sha256::new_with_prefix(b"ic-rescue replica subnet");
            for range in &ranges {
                hasher.update(range.start.to_be_bytes());
                hasher.update(range.end.to_be_bytes());
            }
            hasher.finalize().into()
        };
        let public_key_der = self.authority.public_key_der(&seed);
        self.subnets.push(Subnet {
            id: Principal::self_authenticating(&public_key_der),
            public_key_der,
            seed,
            kind,
            size_nodes: size_nodes(kind),
            instruction_config: spec.get_instruction_config(),
            cost_schedule: spec.get_cost_schedule(),
            admins: spec.get_subnet_admins(),
            ranges,
        });
    }

    /// The next free block of ids, from the top.
    fn next_block(&mut self) -> IdRange {
        loop {
            let block = u64::MAX / CANISTER_IDS_PER_SUBNET - 1 - self.blocks_handed_out;
            self.blocks_handed_out += 1;
            let start = block * CANISTER_IDS_PER_SUBNET;
            let range = IdRange {
                start,
                end: start + CANISTER_IDS_PER_SUBNET - 1,
            };
            if !self.assigned.iter().any(|taken| taken.overlaps(&range)) {
                self.assigned.push(range);
                return range;
            }
        }
    }

    /// Adds the mainnet subnet whose block holds `canister`, for a canister created with a
    /// mainnet id that no subnet of the instance has yet.
    ///
    /// # Errors
    /// The reason in words when the id is no mainnet canister id or belongs to a subnet that must
    /// be asked for when the instance is created.
    pub fn add_mainnet_subnet_of(&mut self, canister: &Principal) -> Result<Principal, String> {
        let Some(number) = number_of(canister) else {
            return Err(format!(
                "The binary representation {} of effective canister ID {canister} should consist of 10 bytes.",
                hex::encode(canister.as_slice())
            ));
        };
        let kind = mainnet_kind(number);
        if matches!(kind, SubnetKind::NNS | SubnetKind::II) {
            return Err(format!(
                "The effective canister ID {canister} belongs to the NNS or II subnet on the IC mainnet for which PocketIC provides a `SubnetKind`: please set up your PocketIC instance with a subnet of that `SubnetKind`."
            ));
        }
        if number / CANISTER_IDS_PER_SUBNET >= MAINNET_SUBNETS_MAX {
            return Err(format!(
                "The effective canister ID {canister} does not belong to an existing subnet and it is not a mainnet canister ID."
            ));
        }
        let start = number & !(CANISTER_IDS_PER_SUBNET - 1);
        let range = IdRange {
            start,
            end: start | (CANISTER_IDS_PER_SUBNET - 1),
        };
        self.assigned.push(range);
        let ranges = vec![range, self.next_block()];
        self.push(kind, &SubnetSpec::default(), ranges);
        Ok(self.subnets[self.subnets.len() - 1].id)
    }

    fn pick_default(&self) -> Principal {
        [
            SubnetKind::Application,
            SubnetKind::VerifiedApplication,
            SubnetKind::System,
        ]
        .iter()
        .find_map(|kind| self.subnets.iter().find(|subnet| subnet.kind == *kind))
        .or(self.subnets.first())
        .map(|subnet| canister_id_of(subnet.allocation_range().start))
        .expect("BUG: a validated configuration has a subnet")
    }

    /// Where canisters go when nobody says where.
    pub fn default_effective_canister(&self) -> Principal {
        self.default_effective_canister
    }

    /// All subnets, in the order of their creation.
    pub fn subnets(&self) -> &[Subnet] {
        &self.subnets
    }

    /// The subnet of this id.
    pub fn subnet(&self, id: &Principal) -> Option<&Subnet> {
        self.subnets.iter().find(|subnet| subnet.id == *id)
    }

    /// Takes a subnet out; its canisters are the caller's business. Returns whether it existed.
    pub(super) fn remove(&mut self, id: &Principal) -> bool {
        let count = self.subnets.len();
        self.subnets.retain(|subnet| subnet.id != *id);
        self.subnets.len() < count
    }

    /// The root subnet if there is one: the NNS.
    pub fn nns(&self) -> Option<&Subnet> {
        self.subnets.iter().find(|s| s.kind == SubnetKind::NNS)
    }

    /// The subnet that signs delegations: the NNS, else the first subnet.
    pub fn root(&self) -> &Subnet {
        &self.subnets[0]
    }

    /// The subnet whose ranges hold the canister id; whether the canister exists is another matter.
    pub fn route(&self, canister: &Principal) -> Option<&Subnet> {
        let number = number_of(canister)?;
        self.subnets.iter().find(|subnet| {
            subnet
                .ranges
                .iter()
                .any(|range| (range.start..=range.end).contains(&number))
        })
    }

    /// Who makes keys and certificates.
    pub fn authority(&self) -> &Arc<dyn SubnetAuthority> {
        &self.authority
    }
}

/// Nodes of a subnet kind on mainnet, as PocketIC assumes them.
fn size_nodes(kind: SubnetKind) -> u64 {
    match kind {
        SubnetKind::Fiduciary | SubnetKind::SNS | SubnetKind::II => 34,
        SubnetKind::NNS => 40,
        _ => 13,
    }
}

/// The fixed ranges of the named subnets (PocketIC's table of mainnet).
fn mainnet_ranges(kind: SubnetKind) -> Vec<IdRange> {
    let block = |number: u64| IdRange {
        start: number * CANISTER_IDS_PER_SUBNET,
        end: (number + 1) * CANISTER_IDS_PER_SUBNET - 1,
    };
    match kind {
        SubnetKind::NNS => vec![
            IdRange { start: 0, end: 6 },
            IdRange {
                start: 8,
                end: CANISTER_IDS_PER_SUBNET - 1,
            },
        ],
        SubnetKind::II => vec![IdRange { start: 7, end: 7 }, block(0x21)],
        SubnetKind::SNS => vec![block(0x20)],
        SubnetKind::Fiduciary => vec![block(0x23)],
        SubnetKind::Bitcoin => vec![block(0x1a)],
        _ => Vec::new(),
    }
}

fn mainnet_kind(number: u64) -> SubnetKind {
    [
        SubnetKind::NNS,
        SubnetKind::II,
        SubnetKind::Bitcoin,
        SubnetKind::Fiduciary,
        SubnetKind::SNS,
    ]
    .into_iter()
    .find(|kind| {
        mainnet_ranges(*kind)
            .iter()
            .any(|range| (range.start..=range.end).contains(&number))
    })
    .unwrap_or(SubnetKind::Application)
}

#[cfg(test)]
mod tests {
    use super::super::keys::UnsignedAuthority;
    use super::*;

    fn topology(config: ExtendedSubnetConfigSet) -> Topology {
        Topology::new(&config, Arc::new(UnsignedAuthority)).unwrap()
    }

    #[test]
    fn the_first_canister_of_a_lone_application_subnet_is_lxzze() {
        let topology = topology(ExtendedSubnetConfigSet {
            application: vec![SubnetSpec::default()],
            ..Default::default()
        });
        assert_eq!(
            topology.default_effective_canister().to_text(),
            "lxzze-o7777-77777-aaaaa-cai"
        );
    }

    #[test]
    fn named_subnets_have_their_mainnet_ranges_and_one_to_allocate_from() {
        let topology = topology(ExtendedSubnetConfigSet {
            nns: Some(SubnetSpec::default()),
            ii: Some(SubnetSpec::default()),
            application: vec![SubnetSpec::default()],
            ..Default::default()
        });
        let governance = Principal::from_text("rrkah-fqaaa-aaaaa-aaaaq-cai").unwrap();
        let identity = Principal::from_text("rdmx6-jaaaa-aaaaa-aaadq-cai").unwrap();
        assert_eq!(topology.route(&governance).unwrap().kind, SubnetKind::NNS);
        assert_eq!(topology.route(&identity).unwrap().kind, SubnetKind::II);
        assert_eq!(topology.subnets[0].ranges.len(), 3);
        assert_eq!(topology.subnets[2].ranges.len(), 1);
    }

    #[test]
    fn a_mainnet_id_gets_its_own_subnet() {
        let mut topology = topology(ExtendedSubnetConfigSet {
            application: vec![SubnetSpec::default()],
            ..Default::default()
        });
        let canister = canister_id_of(0x1234567);
        let subnet = topology.add_mainnet_subnet_of(&canister).unwrap();
        assert_eq!(topology.route(&canister).unwrap().id, subnet);
        assert!(
            topology
                .add_mainnet_subnet_of(&canister_id_of(u64::MAX / 2))
                .is_err()
        );
    }
}
