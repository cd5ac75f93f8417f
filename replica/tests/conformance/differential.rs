//! Plays random scenarios on the network inside and on a real server, and compares every answer.
//!
//! Needs a server other than the stand-in, hence not part of a normal run: `cargo xtask differ` starts it, with
//! `POCKET_IC_BIN` naming the server, `DIFFER_SEED` the first seed and `DIFFER_COUNT` the number of scenarios. With
//! `DIFFER_RECORD` it writes the scenarios and the server's answers into that file, as a transcript to be replayed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use replica::core::rules::Rules;
use serde_json::{Value, json};

use crate::driver::World;
use crate::modules::{Modules, assemble_all};
use crate::network::Network;
use crate::random;
use crate::server::Remote;

/// What a network answers; a wait without end is an answer too.
fn answers(world: &mut dyn Network, modules: &Modules, scenario: &Value) -> Vec<Value> {
    catch_unwind(AssertUnwindSafe(|| random::play(world, modules, scenario)))
        .unwrap_or_else(|_| vec![json!("no end")])
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}"))
    })
}

#[test]
#[ignore = "compares with a real server: cargo xtask differ"]
fn random_scenarios_come_out_as_on_the_server() {
    let (first, count) = (number("DIFFER_SEED", 1), number("DIFFER_COUNT", 100));
    let modules = assemble_all(&crate::data().join("modules"), &random::modules());
    let mut remote = Remote::start();
    let mut recorded = Vec::new();
    let mut differing = 0;
    for seed in first..first + count {
        let mut scenario = random::scenario(seed);
        let here = answers(&mut World::new(Rules::OCTOBER_2025), &modules, &scenario);
        let there = answers(&mut remote, &modules, &scenario);
        remote.delete_instance();
        remote.new_instance();
        let difference =
            (0..here.len().max(there.len())).find(|at| here.get(*at) != there.get(*at));
        if let Some(step) = difference {
            differing += 1;
            println!("seed {seed}, step {step}: {}", scenario["steps"][step]);
            println!("   here: {}", here.get(step).unwrap_or(&Value::Null));
            println!("  there: {}", there.get(step).unwrap_or(&Value::Null));
        }
        if there.len() == scenario["steps"].as_array().unwrap().len() {
            for (step, outcome) in there.into_iter().enumerate() {
                scenario["steps"][step]["outcome"] = outcome;
            }
            recorded.push(scenario);
        }
    }
    println!("{differing} of {count} scenarios differ, from seed {first}");
    if let Some(path) = std::env::var_os("DIFFER_RECORD") {
        let transcript = json!({
            "format": 1, "group": "random", "modules": random::modules(), "scenarios": recorded,
        });
        std::fs::write(path, serde_json::to_vec(&transcript).unwrap()).unwrap();
    }
    assert_eq!(differing, 0);
}
