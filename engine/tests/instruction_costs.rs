//! Instruction counts of single probes, as a real server counted them.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Canister, reply};
use serde_json::Value;

const COSTS: &str = include_str!("../../tests/conformance/transcripts/instruction_costs.json");

/// What a probe measured: the count, or the code of its error.
fn measure(module: &str, replicated: bool) -> Value {
    let mut canister = Canister::install(module);
    let arg = [0; 100];
    let result = if replicated {
        canister.update("u", &arg)
    } else {
        canister.query("q", &arg)
    };
    match result {
        Ok(effects) => {
            let data = reply(Ok(effects));
            let delta: [u8; 8] = data[data.len() - 8..].try_into().unwrap();
            Value::from(u64::from_le_bytes(delta))
        }
        Err(error) => serde_json::json!({ "error_code": error.code() }),
    }
}

#[test]
fn every_probe_counts_exactly_as_recorded() {
    let costs: Value = serde_json::from_str(COSTS).unwrap();
    let template = costs["template"].as_str().unwrap();
    let probes = costs["probes"].as_array().unwrap();
    assert!(probes.len() > 80);
    let mut differences = Vec::new();
    for probe in probes {
        let module = template.replace("%BODY%", probe["body"].as_str().unwrap());
        for (field, replicated) in [("delta_query", false), ("delta_update", true)] {
            let measured = measure(&module, replicated);
            if measured != probe[field] {
                differences.push(format!(
                    "{} {field}: {measured}, recorded {}",
                    probe["name"], probe[field]
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
