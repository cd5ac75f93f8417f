//! Plays scenarios nobody recorded on the network inside and on a real server, and compares every answer.
//!
//! Needs a server other than the stand-in, hence not part of a normal run: `cargo xtask differ` starts it, with
//! `POCKET_IC_BIN` naming the server, `DIFFER_SEED` the first seed and `DIFFER_COUNT` the number of random scenarios.
//! With `DIFFER_RECORD` it writes the scenarios and the server's answers into a transcript to be replayed: into that
//! file with `random` or `variants` before its name.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

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

/// Cycles by which balances may differ: servers do not count pages as written that were written without a change,
/// depending on how they came to be mapped, at 1,000 cycles a page.
const CYCLES_TOLERANCE: u128 = 100_000;

/// Whether two answers are the same.
fn agree(here: Option<&Value>, there: Option<&Value>) -> bool {
    let cycles = |answer: Option<&Value>| {
        let text = answer?.get("cycles")?.as_str()?;
        text.parse::<u128>().ok()
    };
    match (cycles(here), cycles(there)) {
        (Some(here), Some(there)) => here.abs_diff(there) < CYCLES_TOLERANCE,
        _ => here == there,
    }
}

/// Plays the scenarios on both and records what the server said.
fn compare(group: &str, described: &Value, scenarios: Vec<Value>) {
    let modules = assemble_all(&crate::data().join("modules"), described);
    let mut remote = Remote::start();
    let mut recorded = Vec::new();
    let (mut differing, count) = (0, scenarios.len());
    for mut scenario in scenarios {
        let here = answers(&mut World::new(Rules::OCTOBER_2025), &modules, &scenario);
        let there = answers(&mut remote, &modules, &scenario);
        remote.delete_instance();
        remote.new_instance();
        let differs = |at: &usize| !agree(here.get(*at), there.get(*at));
        if let Some(step) = (0..here.len().max(there.len())).find(differs) {
            differing += 1;
            println!(
                "{}, step {step}: {}",
                scenario["name"], scenario["steps"][step]
            );
            println!("   here: {}", here.get(step).unwrap_or(&Value::Null));
            println!("  there: {}", there.get(step).unwrap_or(&Value::Null));
        }
        if there.len() == scenario["steps"].as_array().unwrap().len() {
            for (step, outcome) in there.into_iter().enumerate() {
                let is_balance = scenario["steps"][step]["op"] == "cycles";
                let any = json!({ "any": true });
                scenario["steps"][step]["outcome"] = if is_balance { any } else { outcome };
            }
            recorded.push(scenario);
        }
    }
    println!("{group}: {differing} of {count} scenarios differ");
    if let Some(path) = std::env::var_os("DIFFER_RECORD") {
        let transcript = json!({
            "format": 1, "group": group, "modules": described, "scenarios": recorded,
        });
        let path = Path::new(&path);
        let name = format!("{group}_{}", path.file_name().unwrap().display());
        std::fs::write(path.with_file_name(name), transcript.to_string()).unwrap();
    }
    assert_eq!(differing, 0);
}

#[test]
#[ignore = "compares with a real server: cargo xtask differ"]
fn random_scenarios_come_out_as_on_the_server() {
    let (first, count) = (number("DIFFER_SEED", 1), number("DIFFER_COUNT", 100));
    let scenarios = (first..first + count).map(random::scenario).collect();
    compare("random", &random::modules(), scenarios);
}

#[test]
#[ignore = "compares with a real server: cargo xtask differ"]
fn varied_scenarios_come_out_as_on_the_server() {
    compare(
        "variants",
        &random::variants::modules(),
        random::variants::scenarios(),
    );
}
