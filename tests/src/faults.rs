//! Faults on order: the local network breaks replies as a plan says. A real server does not.

use crate::World;
use serde_json::{Value, json};

/// The fault plan of one network.
pub struct Faults {
    url: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Faults {
    /// The plan of `world`; none (and said so) where the server breaks nothing on order.
    pub fn of(world: &World) -> Option<Faults> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let faults = Faults {
            url: format!("{}faults", world.url()),
            client: reqwest::Client::new(),
            runtime,
        };
        if faults.report().is_none() {
            println!("left out: the server breaks nothing on order");
            return None;
        }
        Some(faults)
    }

    /// Orders `rules`; see the documentation of the local network for what they may say.
    pub fn order(&self, seed: u64, rules: &[Value]) {
        let plan = json!({"seed": seed, "rules": rules}).to_string();
        let order = self.client.post(&self.url).body(plan);
        let order = order.header("content-type", "application/json").send();
        let answer = self.runtime.block_on(order).unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// Ends all faults.
    pub fn end(&self) {
        let end = self.client.delete(&self.url).send();
        let answer = self.runtime.block_on(end).unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// Requests that each rule broke so far.
    pub fn struck(&self) -> Vec<u64> {
        let report = self.report().unwrap();
        let rules = report.as_array().unwrap();
        rules
            .iter()
            .map(|rule| rule["broken"].as_u64().unwrap())
            .collect()
    }

    fn report(&self) -> Option<Value> {
        self.runtime.block_on(async {
            let answer = self.client.get(&self.url).send().await.unwrap();
            if !answer.status().is_success() {
                return None;
            }
            serde_json::from_slice(&answer.bytes().await.unwrap()).ok()
        })
    }
}
