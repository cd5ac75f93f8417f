//! The state of one subnet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use candid::Principal;
use sha2::{Digest as _, Sha256};

use super::answer::{Answers, failed};
use super::api::{IngressState, MessageId};
use super::canister::Canister;
use super::errors::UserError;
use super::limits::{
    MAX_SNAPSHOTS, SCHEDULER_CORES, SUBNET_MEMORY_BYTES, SUBNET_MEMORY_RESERVED_BYTES,
};
use super::message::{IngressMessage, Origin, Output, Payload, Response};
use super::queues::Inputs;
use super::snapshot::{Snapshot, SnapshotId};

/// Canisters, snapshots and messages of a subnet.
#[derive(Debug, Default)]
pub struct SubnetState {
    /// The subnet.
    pub id: Option<Principal>,
    /// Its canisters.
    pub canisters: BTreeMap<Principal, Canister>,
    /// Snapshots of its canisters.
    pub snapshots: BTreeMap<SnapshotId, Snapshot>,
    /// Messages for its management canister.
    pub inputs: Inputs,
    /// Ingress messages not yet taken into a round.
    pub pool: VecDeque<IngressMessage>,
    /// Answers of its management canister.
    pub outputs: VecDeque<Output>,
    /// Messages under way to subnets, this one included.
    pub streams: BTreeMap<Principal, Vec<Output>>,
    /// Answers for users, to be put into the ingress history.
    pub answers: Answers,
    /// Rounds so far.
    pub round: u64,
    /// Time of the last round, nanoseconds since the epoch.
    pub time_ns: u64,
    /// Modules compiled since the last checkpoint: compiling them again is cheap.
    pub compiled: BTreeSet<[u8; 32]>,
    /// Instructions the management canister may still spend in this round.
    pub budget: i64,
    /// Number inside the id of the next canister; 0 before the first.
    pub next_canister: u64,
    /// Memory of the whole subnet when a test has limited it, in bytes.
    pub disk_bytes: Option<u64>,
    /// Feeds `raw_rand`.
    pub randomness: Randomness,
}

/// Reproducible random bytes.
#[derive(Clone, Debug, Default)]
pub struct Randomness {
    seed: [u8; 32],
    counter: u64,
}

impl Randomness {
    /// Bytes that follow from the seed.
    pub fn new(seed: u64, subnet: &Principal) -> Self {
        let seed = Sha256::new_with_prefix(b"ic-rescue replica randomness")
            .chain_update(seed.to_be_bytes())
            .chain_update(subnet.as_slice())
            .finalize()
            .into();
        Randomness { seed, counter: 0 }
    }

    /// The next 32 bytes.
    pub fn draw(&mut self) -> [u8; 32] {
        self.counter += 1;
        Sha256::new_with_prefix(self.seed)
            .chain_update(self.counter.to_be_bytes())
            .finalize()
            .into()
    }
}

impl SubnetState {
    /// An empty subnet.
    pub fn new(id: Principal, seed: u64) -> Self {
        SubnetState {
            id: Some(id),
            randomness: Randomness::new(seed, &id),
            ..Default::default()
        }
    }

    /// A canister, for the management canister.
    ///
    /// # Errors
    /// There is none of this id here.
    pub fn canister(&self, id: &Principal) -> Result<&Canister, UserError> {
        self.canisters
            .get(id)
            .ok_or_else(|| UserError::canister_not_found_by_management(*id))
    }

    /// A canister to change.
    ///
    /// # Errors
    /// There is none of this id here.
    pub fn canister_mut(&mut self, id: &Principal) -> Result<&mut Canister, UserError> {
        self.canisters
            .get_mut(id)
            .ok_or_else(|| UserError::canister_not_found_by_management(*id))
    }

    /// A canister that the caller controls.
    ///
    /// # Errors
    /// There is none, or the caller is no controller of it.
    pub fn controlled(&self, id: &Principal, caller: &Principal) -> Result<&Canister, UserError> {
        let canister = self.canister(id)?;
        if canister.settings.is_controller(caller) {
            Ok(canister)
        } else {
            Err(UserError::not_controller(
                *id,
                &canister.settings.controllers,
                *caller,
            ))
        }
    }

    /// The same, to change it.
    ///
    /// # Errors
    /// There is none, or the caller is no controller of it.
    pub fn controlled_mut(
        &mut self,
        id: &Principal,
        caller: &Principal,
    ) -> Result<&mut Canister, UserError> {
        self.controlled(id, caller)?;
        self.canister_mut(id)
    }

    /// A snapshot of a canister.
    ///
    /// # Errors
    /// There is none of this id, or it belongs to another canister.
    pub fn snapshot(&self, canister: &Principal, id: &SnapshotId) -> Result<&Snapshot, UserError> {
        let snapshot = self
            .snapshots
            .get(id)
            .ok_or_else(|| UserError::snapshot_not_found(*canister, id))?;
        if id.canister != *canister {
            return Err(UserError::snapshot_of_other(*canister, id));
        }
        Ok(snapshot)
    }

    /// Whether the canister may have one snapshot more.
    ///
    /// # Errors
    /// It has all it may have.
    pub fn check_snapshot_count(&self, canister: &Principal) -> Result<(), UserError> {
        if self.snapshots_of(canister).count() >= MAX_SNAPSHOTS {
            return Err(UserError::too_many_snapshots(*canister, MAX_SNAPSHOTS));
        }
        Ok(())
    }

    /// The snapshots of a canister, oldest first.
    pub fn snapshots_of(
        &self,
        canister: &Principal,
    ) -> impl Iterator<Item = (&SnapshotId, &Snapshot)> {
        let canister = *canister;
        self.snapshots
            .iter()
            .filter(move |(id, _)| id.canister == canister)
    }

    /// Takes a snapshot away.
    pub fn remove_snapshot(&mut self, id: &SnapshotId) {
        if let Some(snapshot) = self.snapshots.remove(id)
            && let Some(canister) = self.canisters.get_mut(&id.canister)
        {
            canister.snapshots_bytes = canister.snapshots_bytes.saturating_sub(snapshot.size_bytes);
        }
    }

    /// Memory that one canister may still take: what is left, shared among the threads. What a test has left is not
    /// shared, so that it can be said to the byte.
    pub fn available_memory_bytes(&self) -> u64 {
        let used: u64 = self.canisters.values().map(Canister::allocated_bytes).sum();
        if let Some(disk_bytes) = self.disk_bytes {
            return disk_bytes.saturating_sub(used);
        }
        (SUBNET_MEMORY_BYTES - SUBNET_MEMORY_RESERVED_BYTES).saturating_sub(used) / SCHEDULER_CORES
    }

    /// Notes the answer to an ingress message.
    pub fn answer_ingress(&mut self, id: MessageId, state: IngressState) {
        self.answers.push((id, state));
    }

    /// Answers callers whose open calls went away with a canister's code.
    pub fn answer_uninstalled(&mut self, canister: Principal, open: Vec<(Origin, u128)>) {
        let error = UserError::uninstalled();
        for (origin, refund) in open {
            match origin {
                Origin::System => {}
                Origin::Ingress { id, .. } => self.answers.push((id, failed(error.clone()))),
                Origin::Canister {
                    sender,
                    callback,
                    deadline_ns,
                } => {
                    let payload = Payload::reject(error.reject_code(), error.description.clone());
                    self.outputs.push_back(Output::Response(Response {
                        originator: sender,
                        respondent: canister,
                        callback,
                        refund,
                        payload,
                        deadline_ns,
                    }));
                }
            }
        }
    }
}
