//! A network with an operator, and the plain calls a scenario makes on it.

use crate::identity::Identity;
use candid::utils::{ArgumentDecoder, ArgumentEncoder};
use candid::{CandidType, Principal};
use ic_management_canister_types::{
    CanisterInstallMode, InstallCodeArgs, UpgradeFlags, WasmMemoryPersistence,
};
use pocket_ic::common::rest::{IcpFeatures, IcpFeaturesConfig, RawEffectivePrincipal};
use pocket_ic::{CanisterStatusResult, PocketIc, PocketIcBuilder, RejectResponse, Snapshot};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A network, the identity that controls everything on it, and a folder for files.
pub struct World {
    /// The PocketIC client.
    pub pic: PocketIc,
    /// Controller of rescue and of the patients.
    pub operator: Identity,
    /// Somebody else.
    pub stranger: Identity,
    /// Files of this scenario; removed with it.
    pub folder: TempDir,
}

impl Default for World {
    fn default() -> Self {
        World::new()
    }
}

impl World {
    /// A network with an NNS subnet (it holds the root key) and an application subnet, in real time.
    pub fn new() -> World {
        World::with_application_subnets(1)
    }

    /// The same with so many application subnets.
    pub fn with_application_subnets(count: usize) -> World {
        let builder = PocketIcBuilder::new().with_nns_subnet();
        World::of((0..count).fold(builder, |builder, _| builder.with_application_subnet()))
    }

    /// The same with a cycles ledger and a cycles minting canister, through which `icp` creates canisters.
    pub fn with_cycles_ledger() -> World {
        let features = IcpFeatures {
            cycles_minting: Some(IcpFeaturesConfig::DefaultConfig),
            cycles_token: Some(IcpFeaturesConfig::DefaultConfig),
            ..IcpFeatures::default()
        };
        World::of(
            PocketIcBuilder::new()
                .with_nns_subnet()
                .with_ii_subnet()
                .with_application_subnet()
                .with_icp_features(features),
        )
    }

    fn of(network: PocketIcBuilder) -> World {
        let pic = network.build();
        pic.auto_progress();
        let folder = tempfile::tempdir().unwrap();
        let operator = Identity::create(folder.path(), "operator", [7; 32]);
        let stranger = Identity::create(folder.path(), "stranger", [8; 32]);
        World {
            pic,
            operator,
            stranger,
            folder,
        }
    }

    /// The URL agents and the CLI use.
    pub fn url(&self) -> String {
        format!(
            "{}instances/{}/",
            self.pic.get_server_url(),
            self.pic.instance_id()
        )
    }

    /// Lets at least so many milliseconds pass from round to round.
    pub fn slow_down(&self, round_ms: u64) {
        self.pic.stop_progress();
        let order = serde_json::json!({"artificial_delay_ms": round_ms}).to_string();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let order = reqwest::Client::new()
            .post(format!("{}auto_progress", self.url()))
            .header("content-type", "application/json")
            .body(order);
        let answer = runtime.block_on(order.send()).unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// A new canister of the operator on the application subnet.
    pub fn create_canister(&self) -> Principal {
        let subnet = self.pic.topology().get_app_subnets()[0];
        self.pic
            .create_canister_on_subnet(Some(self.operator.principal), None, subnet)
    }

    /// A new canister of the operator with `module` installed.
    pub fn install(&self, module: Vec<u8>, arg: Vec<u8>) -> Principal {
        let canister = self.create_canister();
        self.pic
            .install_canister(canister, module, arg, Some(self.operator.principal));
        canister
    }

    /// An upgrade as any tool makes it: the old module's hook runs.
    pub fn upgrade(&self, canister: Principal, module: Vec<u8>) -> Result<(), RejectResponse> {
        self.install_code(canister, module, CanisterInstallMode::Upgrade(None))
    }

    /// An upgrade with both flags given.
    pub fn upgrade_with(
        &self,
        canister: Principal,
        module: Vec<u8>,
        skip_pre_upgrade: bool,
        persistence: WasmMemoryPersistence,
    ) -> Result<(), RejectResponse> {
        let flags = UpgradeFlags {
            skip_pre_upgrade: Some(skip_pre_upgrade),
            wasm_memory_persistence: Some(persistence),
        };
        self.install_code(canister, module, CanisterInstallMode::Upgrade(Some(flags)))
    }

    /// `install_code` by the operator.
    pub fn install_code(
        &self,
        canister: Principal,
        module: Vec<u8>,
        mode: CanisterInstallMode,
    ) -> Result<(), RejectResponse> {
        let args = InstallCodeArgs {
            mode,
            canister_id: canister,
            wasm_module: module,
            arg: candid::encode_args(()).unwrap(),
            sender_canister_version: None,
        };
        self.management(canister, self.operator.principal, "install_code", (args,))
    }

    /// A management call about `canister`.
    pub fn management<In: ArgumentEncoder, Out: for<'a> ArgumentDecoder<'a>>(
        &self,
        canister: Principal,
        sender: Principal,
        method: &str,
        args: In,
    ) -> Result<Out, RejectResponse> {
        // Not `update_call`: an upgrade that runs into the instruction limit takes more rounds than a
        // server waits for in one request, so the answer is polled for.
        let message = self.pic.submit_call_with_effective_principal(
            Principal::management_canister(),
            RawEffectivePrincipal::CanisterId(canister.as_slice().to_vec()),
            sender,
            method,
            candid::encode_args(args).unwrap(),
        )?;
        let reply = self.pic.await_call_no_ticks(message)?;
        Ok(candid::decode_args(&reply).unwrap())
    }

    /// An update call with one answer.
    pub fn update<In: ArgumentEncoder, Out: CandidType + for<'a> Deserialize<'a>>(
        &self,
        canister: Principal,
        sender: Principal,
        method: &str,
        args: In,
    ) -> Result<Out, RejectResponse> {
        pocket_ic::update_candid_as(&self.pic, canister, sender, method, args)
            .map(|(answer,)| answer)
    }

    /// A query call with one answer.
    pub fn query<In: ArgumentEncoder, Out: CandidType + for<'a> Deserialize<'a>>(
        &self,
        canister: Principal,
        sender: Principal,
        method: &str,
        args: In,
    ) -> Result<Out, RejectResponse> {
        pocket_ic::query_candid_as(&self.pic, canister, sender, method, args)
            .map(|(answer,)| answer)
    }

    /// The operator's view of `canister`.
    pub fn status(&self, canister: Principal) -> CanisterStatusResult {
        self.pic
            .canister_status(canister, Some(self.operator.principal))
            .unwrap()
    }

    /// The hash of the module `canister` holds.
    pub fn module_hash(&self, canister: Principal) -> Option<Vec<u8>> {
        self.status(canister).module_hash
    }

    /// The snapshots of `canister`.
    pub fn snapshots(&self, canister: Principal) -> Vec<Snapshot> {
        self.pic
            .list_canister_snapshots(canister, Some(self.operator.principal))
            .unwrap()
    }

    /// The whole stable memory of `canister`, as the server sees it.
    pub fn stable_memory(&self, canister: Principal) -> Vec<u8> {
        self.pic.get_stable_memory(canister)
    }
}

/// SHA-256, as module hashes are made.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}
