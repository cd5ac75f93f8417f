//! A network behind a PocketIC server, over its REST protocol and without a client in between.

use base64::prelude::*;
use candid::Principal;
use replica::core::api::{EffectivePrincipal, RejectResponse};
use serde_json::{Value, json};

use crate::common::Server;
use crate::network::{Call, Network, Refusal, Ticket};

/// An instance with two application subnets on a server of its own.
pub struct Remote {
    server: Server,
    instance: u64,
    subnets: Vec<Principal>,
    messages: Vec<Value>,
}

fn b64(bytes: &[u8]) -> Value {
    Value::from(BASE64_STANDARD.encode(bytes))
}

fn bytes_of(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// A reply or a reject out of the server's JSON.
fn result_of(value: &Value) -> Result<Vec<u8>, RejectResponse> {
    match value.get("Ok") {
        Some(bytes) => Ok(bytes_of(bytes)),
        None => Err(serde_json::from_value(value["Err"].clone()).unwrap()),
    }
}

impl Remote {
    /// Starts the server `POCKET_IC_BIN` names, with one instance.
    pub fn start() -> Remote {
        let binary = std::env::var_os("POCKET_IC_BIN")
            .expect("POCKET_IC_BIN names no server to compare with");
        let server = Server::start_binary(binary.as_ref());
        let mut remote = Remote {
            server,
            instance: 0,
            subnets: Vec::new(),
            messages: Vec::new(),
        };
        remote.new_instance();
        remote
    }

    /// Goes on with a fresh instance on the same server.
    pub fn new_instance(&mut self) {
        let subnet = json!({
            "state_config": "New", "instruction_config": "Production",
            "subnet_admins": null, "cost_schedule": "Normal",
        });
        let config = json!({ "subnet_config_set": {
            "application": [subnet, subnet], "system": [], "verified_application": [],
            "cloud_engine": [],
        }});
        let created = self.send("POST", "/instances", &config).unwrap();
        self.instance = created["Created"]["instance_id"].as_u64().unwrap();
        let configs = created["Created"]["topology"]["subnet_configs"].clone();
        let mut subnets: Vec<(Vec<u8>, Principal)> = configs
            .as_object()
            .unwrap()
            .iter()
            .map(|(id, config)| {
                let start = &config["canister_ranges"][0]["start"]["canister_id"];
                (bytes_of(start), Principal::from_text(id).unwrap())
            })
            .collect();
        subnets.sort();
        self.subnets = subnets.into_iter().map(|(_, id)| id).collect();
        self.messages.clear();
    }

    /// Forgets the instance.
    pub fn delete_instance(&self) {
        let path = format!("/instances/{}", self.instance);
        let _ = self.server.request("DELETE", &path, b"");
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, Refusal> {
        let body = serde_json::to_vec(body).unwrap();
        let response = self.server.request(method, path, &body).unwrap();
        match response.status {
            200 | 201 => Ok(serde_json::from_slice(&response.body).unwrap_or(Value::Null)),
            status => Err(Refusal::Http(status.into(), response.text())),
        }
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.send(
            "POST",
            &format!("/instances/{}/{path}", self.instance),
            body,
        )
    }

    fn call(call: &Call) -> Value {
        json!({
            "sender": b64(call.sender.as_slice()),
            "canister_id": b64(call.receiver.as_slice()),
            "effective_principal": match &call.effective {
                EffectivePrincipal::None => json!("None"),
                EffectivePrincipal::Subnet(id) => json!({ "SubnetId": b64(id.as_slice()) }),
                EffectivePrincipal::Canister(id) => json!({ "CanisterId": b64(id.as_slice()) }),
            },
            "method": call.method,
            "payload": b64(&call.arg),
        })
    }
}

impl Network for Remote {
    fn subnets(&self) -> Vec<Principal> {
        self.subnets.clone()
    }

    fn submit(&mut self, call: &Call) -> Result<Ticket, Refusal> {
        let answer = self.post("update/submit_ingress_message", &Self::call(call))?;
        match answer.get("Ok") {
            Some(message) => {
                self.messages.push(message.clone());
                Ok(self.messages.len() - 1)
            }
            None => Err(Refusal::Reject(
                serde_json::from_value(answer["Err"].clone()).unwrap(),
            )),
        }
    }

    fn status(&self, ticket: Ticket) -> Option<Result<Vec<u8>, RejectResponse>> {
        let body = json!({ "raw_message_id": self.messages[ticket], "raw_caller": null });
        let answer = self.post("read/ingress_status", &body).unwrap();
        (!answer.is_null()).then(|| result_of(&answer))
    }

    fn round(&mut self) {
        self.post("update/tick", &json!({ "blockmakers": null }))
            .unwrap();
    }

    fn query(&mut self, call: &Call) -> Result<Vec<u8>, Refusal> {
        let answer = self.post("read/query", &Self::call(call))?;
        result_of(&answer).map_err(Refusal::Reject)
    }

    fn advance_time(&mut self, nanos: u64) {
        let path = format!("/instances/{}/read/get_time", self.instance);
        let time = self.send("GET", &path, &Value::Null).unwrap();
        let time_ns = time["nanos_since_epoch"].as_u64().unwrap() + nanos;
        self.post("update/set_time", &json!({ "nanos_since_epoch": time_ns }))
            .unwrap();
    }

    fn stable_memory(&self, canister: &Principal) -> Result<Vec<u8>, Refusal> {
        let body = json!({ "canister_id": b64(canister.as_slice()) });
        let answer = self.post("read/get_stable_memory", &body)?;
        Ok(bytes_of(&answer["blob"]))
    }

    fn cycles(&self, canister: &Principal) -> Result<u128, Refusal> {
        let body = json!({ "canister_id": b64(canister.as_slice()) });
        let answer = self.post("read/get_cycles", &body)?;
        Ok(answer["cycles"].as_u64().unwrap().into())
    }

    fn set_stable_memory(&mut self, canister: &Principal, bytes: &[u8]) -> Result<(), Refusal> {
        let blob = self.server.request("POST", "/blobstore", bytes).unwrap();
        let blob_id = hex::decode(blob.text()).unwrap();
        let body = json!({
            "canister_id": b64(canister.as_slice()),
            "blob_id": b64(&blob_id),
        });
        self.post("update/set_stable_memory", &body).map(|_| ())
    }
}
