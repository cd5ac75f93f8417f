//! `ic-rescue network start`: a developer without dfx and without the Internet, from the first line to Ctrl-C.

use candid::{Encode, Nat, Principal};
use ic_agent::Agent;
use ic_agent::identity::AnonymousIdentity;
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, InstallCodeArgs, ProvisionalCreateCanisterWithCyclesArgs,
};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use tests::{cli, wasms};

/// Seconds the network may live if the test dies.
const LIFETIME_SECONDS: &str = "120";

/// A network that was started, and what it says about itself.
struct Started {
    process: Child,
    facts: BTreeMap<String, String>,
}

impl Started {
    fn new() -> Self {
        let mut process = Command::new(cli::binary())
            .args(["network", "start", "--json", "--quiet", "--port", "0"])
            .args(["--seconds", LIFETIME_SECONDS])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut facts = BTreeMap::new();
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            let message: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            let text = |field: &str| message[field].as_str().unwrap().to_owned();
            if message["type"] == "done" {
                break;
            }
            assert_eq!(message["type"], "fact", "{message}");
            facts.insert(text("name"), text("value"));
        }
        Self { process, facts }
    }

    fn id(&self, name: &str) -> Principal {
        Principal::from_text(&self.facts[name]).unwrap()
    }

    fn interrupt(mut self) -> ExitStatus {
        let id = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
        self.process.wait().unwrap()
    }
}

#[test]
fn a_local_network_serves_agents_and_this_program_until_it_is_interrupted() {
    let started = Started::new();
    let url = started.facts["url"].clone();
    let module = wasms::load("patients/ledger");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let canister = runtime.block_on(async {
        // Verifies certificates and the signatures of queries, with the key that was printed.
        let agent = Agent::builder()
            .with_url(&url)
            .with_identity(AnonymousIdentity)
            .build()
            .unwrap();
        agent.set_root_key(hex::decode(&started.facts["root_key"]).unwrap());
        let create = ProvisionalCreateCanisterWithCyclesArgs {
            amount: Some(Nat::from(10_000_000_000_000u64)),
            ..Default::default()
        };
        let management = Principal::management_canister();
        let reply = agent
            .update(&management, "provisional_create_canister_with_cycles")
            .with_effective_canister_id(started.id("effective_canister_id"))
            .with_arg(Encode!(&create).unwrap())
            .await
            .unwrap();
        let canister = candid::decode_one::<CanisterIdRecord>(&reply)
            .unwrap()
            .canister_id;
        let install = InstallCodeArgs {
            mode: CanisterInstallMode::Install,
            canister_id: canister,
            wasm_module: module.clone(),
            arg: Encode!().unwrap(),
            sender_canister_version: None,
        };
        agent
            .update(&management, "install_code")
            .with_effective_canister_id(canister)
            .with_arg(Encode!(&install).unwrap())
            .await
            .unwrap();
        let subnet = agent.get_subnet_by_canister(&canister).await.unwrap();
        assert_eq!(subnet.id(), started.id("application_subnet"));
        let balance = agent
            .query(&started.id("cycles_ledger"), "icrc1_decimals")
            .with_arg(Encode!().unwrap())
            .await
            .unwrap();
        assert_eq!(candid::decode_one::<u8>(&balance).unwrap(), 12);
        canister
    });

    let diagnosis = Command::new(cli::binary())
        .args(["diagnose", &canister.to_text(), "--network", &url])
        .args(["--identity", "anonymous", "--json", "--quiet"])
        .output()
        .unwrap();
    let told = String::from_utf8(diagnosis.stdout).unwrap();
    assert!(diagnosis.status.success(), "{told}");
    assert!(
        told.contains(&hex::encode(tests::sha256(&module))),
        "{told}"
    );

    let address = url
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    assert_eq!(started.interrupt().code(), Some(0));
    assert!(
        std::net::TcpStream::connect(&address).is_err(),
        "nothing is left behind"
    );
}
