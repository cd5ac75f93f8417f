//! Scenarios nobody thought of: random ones in the language of the recorded ones.
//!
//! [`scenario`] makes one from a seed, [`play`] does it on a network and writes down what each step gave. Two networks
//! that follow the same rules write down the same.

mod scenario;
mod script;
pub mod variants;

pub use scenario::scenario;

use serde_json::{Value, json};

use crate::modules::Modules;
use crate::network::Network;
use crate::steps::Run;

/// The modules of random scenarios, described as those of transcripts are.
pub fn modules() -> Value {
    let marker = json!([["icp:private enhanced-orthogonal-persistence", ""]]);
    let marked = |mut module: Value| {
        module["custom_sections"] = marker.clone();
        module
    };
    let universal = |file: &str| json!({ "wat": file });
    let text = |text: &str| json!({ "wat_text": text });
    json!({
        "V1": universal("uni1.wat"),
        "V2": universal("uni2.wat"),
        "V2s": universal("uni2_starttrap.wat"),
        "V1m": marked(universal("uni1.wat")),
        "V2m": marked(universal("uni2.wat")),
        "V2sm": marked(universal("uni2_starttrap.wat")),
        "V1g": { "wat": "uni1.wat", "gzip": true },
        "bare": text("(module)"),
        "tablem": marked(text(r#"(module (memory 1) (table 4 4 funcref) (elem (i32.const 0) $wrong)
            (func $wrong (param i32) (i32.store (i32.const 0x40) (i32.const 0x0bad))))"#)),
        "readerm": marked(text(r#"(module (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
            (memory 0)
            (func (export "canister_query q")
                (call $append (i32.const 0) (i32.mul (memory.size) (i32.const 65536)))
                (call $reply)))"#)),
        "broken": text("(module (memory 1) (func (export \"canister_update u\") (param i32)))"),
    })
}

/// Does the steps of a scenario; gives what each gave, with ids masked.
pub fn play(world: &mut dyn Network, modules: &Modules, scenario: &Value) -> Vec<Value> {
    let mut run = Run::new(world, modules);
    scenario["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            let answer = run.play(step);
            answer.outcome(&run.names())
        })
        .collect()
}
