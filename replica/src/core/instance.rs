//! One network: subnets, canisters, a clock, and rounds on request.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use candid::Principal;
use engine::{Engine, EngineConfig, StableMemory, Visibility, WASM_PAGE_BYTES};
use pocket_ic::common::rest::ExtendedSubnetConfigSet;

use super::api::{
    CallError, CanisterAccessError, CanisterView, Ingress, IngressState, IngressStatus, MessageId,
    MetadataSection, Query, SetTimeError,
};
use super::canister::Canister;
use super::errors::UserError;
use super::ingress_filter;
use super::keys::SubnetAuthority;
use super::limits::{INGRESS_MAX_BYTES, INGRESS_MAX_BYTES_NNS, ROUND_TIME_NS};
use super::management::{self, queries};
use super::message::{IngressMessage, Output};
use super::native::{NativeCall, Natives};
use super::network::SubnetContext;
use super::query::QueryGraph;
use super::round;
use super::routing::{Destination, route};
use super::rules::Rules;
use super::snapshot::{Snapshot, SnapshotId};
use super::subnet::SubnetState;
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
    pub cache_dir: Option<PathBuf>,
    /// Which rules the network follows where they changed over time.
    pub rules: Rules,
}

/// One network.
pub struct Instance {
    topology: Topology,
    engine: Engine,
    seed: u64,
    rules: Rules,
    pub(super) subnets: BTreeMap<Principal, SubnetState>,
    natives: Natives,
    ingress: BTreeMap<MessageId, IngressStatus>,
    pub(super) time_ns: u64,
    last_round_ns: u64,
}

impl Instance {
    /// Lays out the network and runs a first round for every subnet.
    ///
    /// # Errors
    /// [`TopologyError`] for a configuration that cannot be had.
    pub fn new(
        config: &InstanceConfig,
        authority: Arc<dyn SubnetAuthority>,
    ) -> Result<Self, TopologyError> {
        let topology = Topology::new(&config.subnets, authority)?;
        let start_ns = config.initial_time_ns.unwrap_or(GENESIS_NS);
        let subnets: BTreeMap<Principal, SubnetState> = topology
            .subnets()
            .iter()
            .map(|subnet| (subnet.id, SubnetState::new(subnet.id, config.seed)))
            .collect();
        let count = subnets.len();
        let mut instance = Instance {
            topology,
            engine: Engine::new(EngineConfig {
                cache_dir: config.cache_dir.clone(),
            }),
            seed: config.seed,
            rules: config.rules,
            subnets,
            natives: Natives::default(),
            ingress: BTreeMap::new(),
            time_ns: start_ns,
            last_round_ns: start_ns,
        };
        for _ in 0..count {
            instance.round();
        }
        Ok(instance)
    }

    /// The system canisters that are answered for without their code.
    pub fn natives_mut(&mut self) -> &mut Natives {
        &mut self.natives
    }

    /// The subnets and their ranges.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The time of the instance, nanoseconds since the epoch.
    pub fn time_ns(&self) -> u64 {
        self.time_ns
    }

    /// The time of the state that queries and `read_state` see: that of the last round.
    pub fn certified_time_ns(&self) -> u64 {
        self.last_round_ns
    }

    /// Moves the clock forward; the next round happens at that time.
    ///
    /// # Errors
    /// [`SetTimeError`] when the time has passed.
    pub fn set_time(&mut self, time_ns: u64) -> Result<(), SetTimeError> {
        if time_ns < self.time_ns {
            return Err(SetTimeError {
                current_ns: self.time_ns,
                set_ns: time_ns,
            });
        }
        self.time_ns = time_ns;
        Ok(())
    }

    /// Moves the clock forward and makes the state of that time readable at once (no round).
    ///
    /// # Errors
    /// [`SetTimeError`] when the time has passed.
    pub fn set_certified_time(&mut self, time_ns: u64) -> Result<(), SetTimeError> {
        self.set_time(time_ns)?;
        self.last_round_ns = time_ns;
        for state in self.subnets.values_mut() {
            state.time_ns = time_ns;
        }
        Ok(())
    }

    pub(super) fn context(&self, subnet: &Principal, now_ns: u64) -> Option<SubnetContext> {
        let mut context =
            SubnetContext::new(&self.engine, &self.topology, self.rules, subnet, now_ns)?;
        if let Some(state) = self.subnets.get(subnet)
            && state.disk_bytes.is_some()
        {
            context.growth_max_bytes = state.available_memory_bytes();
        }
        Some(context)
    }

    /// Limits the memory of every subnet to so many bytes, or lifts the limit. What is stored already stays.
    pub fn limit_disk(&mut self, disk_bytes: Option<u64>) {
        for state in self.subnets.values_mut() {
            state.disk_bytes = disk_bytes;
        }
    }

    fn destination(
        &mut self,
        destination: Destination,
    ) -> Result<(Principal, SubnetContext), CallError> {
        let id = match destination {
            Destination::Subnet(id) => id,
            Destination::MainnetSubnetOf(canister) => {
                let id = self
                    .topology
                    .add_mainnet_subnet_of(&canister)
                    .map_err(CallError::BadRequest)?;
                self.subnets.insert(id, SubnetState::new(id, self.seed));
                self.round();
                id
            }
        };
        let context = self
            .context(&id, self.last_round_ns)
            .ok_or_else(|| CallError::BadRequest(format!("Subnet with ID {id} not found")))?;
        Ok((id, context))
    }

    /// Puts an update call into the pool of the subnet it is routed to, whose id is returned.
    ///
    /// # Errors
    /// [`CallError`] when it gets no place there.
    pub fn submit_ingress(&mut self, ingress: Ingress) -> Result<Principal, CallError> {
        let destination = route(
            &self.topology,
            ingress.effective,
            &ingress.receiver,
            &ingress.method,
            &ingress.arg,
        )
        .map_err(CallError::BadRequest)?;
        let (id, subnet) = self.destination(destination)?;
        if self.ingress.contains_key(&ingress.message_id) {
            return Ok(id);
        }
        let max_bytes = if subnet.is_nns {
            INGRESS_MAX_BYTES_NNS
        } else {
            INGRESS_MAX_BYTES
        };
        if ingress.signed_len_bytes > max_bytes {
            return Err(CallError::BadRequest(format!(
                "Request 0x{} is too large. Message byte size {} is larger than the max allowed {max_bytes}.",
                hex::encode(ingress.message_id),
                ingress.signed_len_bytes
            )));
        }
        let rejected = |error: UserError| CallError::Rejected(error.into_reject(false));
        let status = IngressStatus {
            sender: ingress.sender,
            receiver: ingress.receiver,
            subnet: id,
            state: IngressState::Received,
        };
        if self.natives.serve(&ingress.receiver) {
            let call = NativeCall {
                id: ingress.message_id,
                sender: ingress.sender,
                receiver: ingress.receiver,
                method: ingress.method,
                arg: ingress.arg,
            };
            self.natives.push(call).map_err(rejected)?;
            self.ingress.insert(ingress.message_id, status);
            return Ok(id);
        }
        let effective = if ingress.receiver == Principal::management_canister() {
            management::ingress::effective_canister(&ingress.method, &ingress.arg)
                .map_err(rejected)?
        } else {
            None
        };
        let message = IngressMessage {
            id: ingress.message_id,
            sender: ingress.sender,
            receiver: ingress.receiver,
            effective,
            method: ingress.method,
            arg: ingress.arg,
            signed_len_bytes: ingress.signed_len_bytes,
            expiry_ns: ingress.expiry_ns,
        };
        let state = self
            .subnets
            .get_mut(&id)
            .ok_or_else(|| CallError::BadRequest(format!("Subnet with ID {id} not found")))?;
        ingress_filter::check(state, &subnet, &message).map_err(rejected)?;
        self.ingress.insert(message.id, status);
        state.pool.push_back(message);
        Ok(id)
    }

    /// How far a message has come; `None` when the id is unknown.
    pub fn ingress_status(&self, id: &MessageId) -> Option<&IngressStatus> {
        self.ingress.get(id)
    }

    /// One round on every subnet.
    pub fn round(&mut self) {
        let now_ns = if self.time_ns == self.last_round_ns {
            self.time_ns + ROUND_TIME_NS
        } else {
            self.time_ns
        };
        let mut natives = std::mem::take(&mut self.natives);
        for (message, new) in natives.execute(self) {
            self.settle(&message, new);
        }
        self.natives = natives;
        let ids: Vec<Principal> = self.subnets.keys().copied().collect();
        for id in &ids {
            let arrived = self.arrivals(id);
            let Some(context) = self.context(id, now_ns) else {
                continue;
            };
            let Some(state) = self.subnets.get_mut(id) else {
                continue;
            };
            round::run(state, &context, arrived);
            for (message, new) in std::mem::take(&mut state.answers) {
                self.settle(&message, new);
            }
        }
        self.time_ns = now_ns;
        self.last_round_ns = now_ns;
    }

    /// What has become of a message, unless it was answered before.
    fn settle(&mut self, message: &MessageId, new: IngressState) {
        if let Some(status) = self.ingress.get_mut(message)
            && !status.state.is_final()
        {
            status.state = new;
        }
    }

    /// Messages of other subnets for this one.
    fn arrivals(&mut self, id: &Principal) -> Vec<Output> {
        self.subnets
            .iter_mut()
            .filter(|(source, _)| *source != id)
            .filter_map(|(_, state)| state.streams.remove(id))
            .flatten()
            .collect()
    }

    /// Answers a query call from the present state.
    ///
    /// # Errors
    /// [`CallError`] with what a caller sees instead of a reply.
    pub fn query(&self, query: &Query) -> Result<Vec<u8>, CallError> {
        let destination = route(
            &self.topology,
            query.effective,
            &query.receiver,
            &query.method,
            &query.arg,
        )
        .map_err(CallError::BadRequest)?;
        let Destination::Subnet(id) = destination else {
            return Err(CallError::BadRequest(
                "A query cannot create a subnet.".into(),
            ));
        };
        let (Some(context), Some(state)) =
            (self.context(&id, self.last_round_ns), self.subnets.get(&id))
        else {
            return Err(CallError::BadRequest(format!(
                "Subnet with ID {id} not found"
            )));
        };
        let result = if self.natives.serve(&query.receiver) {
            self.natives
                .query(&query.receiver, &query.method, &query.arg, self)
        } else if query.receiver == Principal::management_canister() {
            queries::execute(state, &context, query.sender, &query.method, &query.arg)
        } else {
            QueryGraph::new(
                state,
                &context,
                self.topology.authority().as_ref(),
                query.receiver,
            )
            .run(query.sender, &query.method, &query.arg)
        };
        result.map_err(|error| CallError::Rejected(error.into_reject(false)))
    }

    fn find(&self, canister: &Principal) -> Option<(&Principal, &Canister)> {
        let subnet = self.topology.route(canister)?;
        let state = self.subnets.get(&subnet.id)?;
        Some((state.id.as_ref()?, state.canisters.get(canister)?))
    }

    fn find_mut(&mut self, canister: &Principal) -> Result<&mut Canister, CanisterAccessError> {
        self.topology
            .route(canister)
            .and_then(|subnet| self.subnets.get_mut(&subnet.id))
            .and_then(|state| state.canisters.get_mut(canister))
            .ok_or(CanisterAccessError::NotFound(*canister))
    }

    /// Whether a canister of this id exists.
    pub fn canister_exists(&self, canister: &Principal) -> bool {
        self.find(canister).is_some()
    }

    /// What the state tree says about a canister; `None` when there is none.
    pub fn canister(&self, canister: &Principal) -> Option<CanisterView> {
        let (subnet, found) = self.find(canister)?;
        let metadata = found.code.as_ref().map_or_else(Vec::new, |code| {
            code.module
                .custom_sections()
                .iter()
                .map(|(name, section)| MetadataSection {
                    name: name.clone(),
                    is_public: section.visibility == Visibility::Public,
                    content: section.content.clone(),
                })
                .collect()
        });
        Some(CanisterView {
            canister: *canister,
            subnet: *subnet,
            controllers: found.settings.controllers.clone(),
            module_hash: found.code.as_ref().map(|code| code.module.hash()),
            certified_data: found.code.as_ref().map(|_| found.certified_data.clone()),
            metadata,
            created_at_ns: found.created_at_ns,
            last_install_ns: found.last_install_ns,
        })
    }

    /// The cycles a canister has.
    ///
    /// # Errors
    /// [`CanisterAccessError::NotFound`].
    pub fn cycles(&self, canister: &Principal) -> Result<u128, CanisterAccessError> {
        self.find(canister)
            .map(|(_, found)| found.balance)
            .ok_or(CanisterAccessError::NotFound(*canister))
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
        let found = self.find_mut(canister)?;
        found.balance = found.balance.saturating_add(amount);
        Ok(found.balance)
    }

    /// A copy of the stable memory of a canister.
    ///
    /// # Errors
    /// [`CanisterAccessError`].
    pub fn stable_memory(&self, canister: &Principal) -> Result<Vec<u8>, CanisterAccessError> {
        let (_, found) = self
            .find(canister)
            .ok_or(CanisterAccessError::NotFound(*canister))?;
        let code = found
            .code
            .as_ref()
            .ok_or(CanisterAccessError::Empty(*canister))?;
        let len = usize::try_from(code.stable.size_bytes())
            .map_err(|_| CanisterAccessError::TooLarge(*canister))?;
        let mut bytes = vec![0; len];
        code.stable
            .read(0, &mut bytes)
            .map_err(|_| CanisterAccessError::TooLarge(*canister))?;
        Ok(bytes)
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
        let found = self.find_mut(canister)?;
        let code = found
            .code
            .as_mut()
            .ok_or(CanisterAccessError::Empty(*canister))?;
        let pages = (bytes.len() as u64).div_ceil(WASM_PAGE_BYTES);
        let mut stable =
            StableMemory::zeroed(pages).map_err(|_| CanisterAccessError::TooLarge(*canister))?;
        stable
            .write(0, bytes)
            .map_err(|_| CanisterAccessError::TooLarge(*canister))?;
        code.stable = stable;
        found.unflushed_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Removes a subnet with all its canisters; returns whether it existed.
    pub fn delete_subnet(&mut self, subnet: &Principal) -> bool {
        self.subnets.remove(subnet);
        self.topology.remove(subnet)
    }

    /// All canisters of a subnet, in order.
    pub fn canisters_of(&self, subnet: &Principal) -> Vec<Principal> {
        self.subnets
            .get(subnet)
            .map_or_else(Vec::new, |state| state.canisters.keys().copied().collect())
    }

    /// A snapshot, by the bytes of its id.
    pub fn snapshot(&self, canister: &Principal, id: &[u8]) -> Option<&Snapshot> {
        let id = SnapshotId::from_bytes(id).ok()?;
        let subnet = self.topology.route(canister)?;
        let state = self.subnets.get(&subnet.id)?;
        state.snapshot(canister, &id).ok()
    }
}
