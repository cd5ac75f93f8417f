//! One instance in a server: the network, its keys, its faults, its clock.

use super::HostedSubnet;
use super::progress::{Progress, Signals};
use crate::auth::{self, AuthError, Sender, Targets};
use crate::cert::{Authority, Certifier};
use crate::core::api::{
    CallError, CanisterView, EffectivePrincipal, Ingress, IngressStatus, MessageId, Query,
};
use crate::core::instance::{Instance, InstanceConfig};
use crate::faults::{Faults, Plan, PlanError};
use candid::Principal;
use ic_transport_types::Envelope;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// What a hosted instance is made from.
pub struct HostedConfig {
    /// The network.
    pub instance: InstanceConfig,
    /// Whether envelopes are believed unread, as the client's builder can ask for.
    pub disable_ingress_validation: bool,
}

/// A network, and what it takes to serve it.
pub struct Hosted {
    network: RwLock<Instance>,
    authority: Arc<Authority>,
    faults: Faults,
    signals: Signals,
    progress: Mutex<Option<Progress>>,
    open_calls: Mutex<Vec<MessageId>>,
    rounds: AtomicU64,
    nonce: AtomicU64,
    disable_ingress_validation: bool,
}

impl Hosted {
    /// Lays out the network.
    ///
    /// # Errors
    /// The reason in words when the configuration cannot be had.
    pub fn new(config: &HostedConfig) -> Result<Arc<Self>, String> {
        let authority = Arc::new(Authority::new());
        let network = Instance::new(&config.instance, authority.clone())
            .map_err(|error| error.to_string())?;
        Ok(Arc::new(Self {
            network: RwLock::new(network),
            authority,
            faults: Faults::default(),
            signals: Signals::default(),
            progress: Mutex::default(),
            open_calls: Mutex::default(),
            rounds: AtomicU64::new(1),
            nonce: AtomicU64::new(0),
            disable_ingress_validation: config.disable_ingress_validation,
        }))
    }

    /// Looks at the network; others may look at the same time.
    pub fn read<R>(&self, look: impl FnOnce(&Instance) -> R) -> R {
        look(&self.network.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the network, alone.
    pub fn write<R>(&self, change: impl FnOnce(&mut Instance) -> R) -> R {
        change(&mut self.network.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Faults ordered by a test.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Carries out a plan of a test: what breaks from now on, and how much memory subnets have.
    ///
    /// # Errors
    /// [`PlanError`]; the plan before stays.
    pub fn order_faults(&self, plan: Plan) -> Result<(), PlanError> {
        let disk_bytes = plan.disk_bytes;
        self.faults.set(plan)?;
        self.write(|network| network.limit_disk(disk_bytes));
        Ok(())
    }

    /// Ends the plan.
    pub fn end_faults(&self) {
        self.faults.clear();
        self.write(|network| network.limit_disk(None));
    }

    /// Who signs certificates.
    pub fn certifier(&self) -> &Certifier {
        self.authority
            .certifier()
            .expect("BUG: a network without subnets cannot be laid out")
    }

    /// The time of the network, nanoseconds since the epoch.
    pub fn time_ns(&self) -> u64 {
        self.read(Instance::time_ns)
    }

    /// The time of the state that clients can read, nanoseconds since the epoch.
    pub fn certified_time_ns(&self) -> u64 {
        self.read(Instance::certified_time_ns)
    }

    /// Rounds executed so far.
    pub fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    /// A number no other REST call of this instance has had.
    pub fn next_nonce(&self) -> u64 {
        self.nonce.fetch_add(1, Ordering::Relaxed)
    }

    /// One round on every subnet.
    pub fn round(&self) {
        self.write(Instance::round);
        self.read(|network| {
            let is_open = |id: &MessageId| {
                let status = network.ingress_status(id);
                status.is_some_and(|status| !status.state.is_final())
            };
            self.lock_open_calls().retain(is_open);
        });
        self.rounds.fetch_add(1, Ordering::Relaxed);
        self.signals.announce_round();
    }

    /// The time goes on to `time_ns`, unless it is past that already; then one round.
    pub fn round_at(&self, time_ns: u64) {
        self.write(|network| {
            if network.time_ns() < time_ns {
                network.set_time(time_ns).expect("BUG: the time lies ahead");
            }
        });
        self.round();
    }

    /// All subnets.
    pub fn subnets(&self) -> Vec<HostedSubnet> {
        self.read(|network| {
            network
                .topology()
                .subnets()
                .iter()
                .map(|subnet| HostedSubnet::new(subnet, &self.authority))
                .collect()
        })
    }

    /// The subnet that serves a canister or is named itself.
    pub fn route(&self, effective: &EffectivePrincipal) -> Option<HostedSubnet> {
        self.read(|network| {
            let topology = network.topology();
            match effective {
                EffectivePrincipal::Canister(canister) => topology.route(canister),
                EffectivePrincipal::Subnet(subnet) => topology.subnet(subnet),
                EffectivePrincipal::None => topology.route(&topology.default_effective_canister()),
            }
            .map(|subnet| HostedSubnet::new(subnet, &self.authority))
        })
    }

    /// Who sent an envelope.
    ///
    /// # Errors
    /// [`AuthError`] when that is not proved.
    pub fn authenticate(&self, envelope: &Envelope<'_>) -> Result<Sender, AuthError> {
        if self.disable_ingress_validation {
            return Ok(Sender {
                principal: *envelope.content.sender(),
                targets: Targets::All,
            });
        }
        auth::authenticate(envelope, self.time_ns(), self.certifier().root_key_der())
    }

    /// Submits an update call; returns the subnet it goes to.
    ///
    /// # Errors
    /// [`CallError`] when the network does not take it.
    pub fn submit(&self, ingress: Ingress) -> Result<Principal, CallError> {
        let id = ingress.message_id;
        let subnet = self.write(|network| network.submit_ingress(ingress))?;
        self.lock_open_calls().push(id);
        self.signals.announce_submission();
        Ok(subnet)
    }

    /// Whether a call that was submitted has no answer yet.
    pub(super) fn has_open_calls(&self) -> bool {
        !self.lock_open_calls().is_empty()
    }

    /// Answers a query call, and says as of when.
    pub fn query(&self, query: &Query) -> (Result<Vec<u8>, CallError>, u64) {
        self.read(|network| (network.query(query), network.certified_time_ns()))
    }

    /// What the state tree says about a canister.
    pub fn canister(&self, canister: &Principal) -> Option<CanisterView> {
        self.read(|network| network.canister(canister))
    }

    /// How far an update call has come.
    pub fn ingress_status(&self, id: &MessageId) -> Option<IngressStatus> {
        self.read(|network| network.ingress_status(id).cloned())
    }

    /// Waits until a call is answered, while somebody else executes rounds.
    pub fn await_ingress(&self, id: &MessageId, timeout: Duration) -> Option<IngressStatus> {
        let deadline = Instant::now() + timeout;
        let _waiting = self.signals.wait_guard();
        loop {
            let seen = self.signals.rounds();
            let status = self.ingress_status(id);
            if status
                .as_ref()
                .is_some_and(|status| status.state.is_final())
            {
                return status;
            }
            if !self.signals.await_round_after(seen, deadline) {
                return None;
            }
        }
    }

    /// Keeps the time of the network at the real time and executes rounds, until stopped.
    ///
    /// # Errors
    /// A text when it does so already.
    pub fn start_progress(self: &Arc<Self>, delay: Option<Duration>) -> Result<(), String> {
        let mut progress = self.lock_progress();
        if progress.is_some() {
            return Err("Auto progress mode has already been enabled.".to_owned());
        }
        *progress = Some(Progress::start(self, delay));
        Ok(())
    }

    /// Whether the instance progresses by itself.
    pub fn makes_progress(&self) -> bool {
        self.lock_progress().is_some()
    }

    /// Ends what [`Hosted::start_progress`] began; returns when the last round is over.
    pub fn stop_progress(&self) {
        let progress = self.lock_progress().take();
        if let Some(progress) = progress {
            progress.stop(&self.signals);
        }
    }

    pub(super) fn signals(&self) -> &Signals {
        &self.signals
    }

    fn lock_open_calls(&self) -> std::sync::MutexGuard<'_, Vec<MessageId>> {
        self.open_calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_progress(&self) -> std::sync::MutexGuard<'_, Option<Progress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
