//! What the pair costs, measured by the engine's instruction counts: `cargo xtask bench [--json FILE]`.
//!
//! Every operation runs on the built modules and, beside them, on a canister whose endpoints are
//! written the usual way with ic-cdk. Instructions are exact and the same on every machine; nothing
//! here measures time.

// A measurement that cannot be taken has nothing to report but the reason.
#![allow(clippy::unwrap_used)]

// The reads' tests use all of it.
#[allow(dead_code)]
#[path = "../../../downloader/tests/facts/harness.rs"]
mod harness;

mod cycles;
mod measure;

use measure::{CHUNKS, Measured, OPERATIONS, SUBJECTS, measure_all};
use serde_json::json;

fn main() {
    let measured = measure_all();
    print_sizes();
    print_instructions(&measured);
    let routes = cycles::routes(&measured);
    print_routes(&routes);

    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.next()) {
            ("--json", Some(path)) => {
                let report = report(&measured, &routes);
                std::fs::write(&path, report).unwrap_or_else(|error| panic!("{path}: {error}"));
            }
            _ => {
                eprintln!("usage: cargo xtask bench [--json FILE]");
                std::process::exit(2);
            }
        }
    }
}

/// Names of all built modules.
const MODULES: [&str; 6] = [
    "downloader",
    "uploader",
    "downloader64",
    "uploader64",
    "rescue",
    "patients/endpoints",
];

fn print_sizes() {
    println!("Modules, bytes");
    for name in MODULES {
        println!("  {name:<20} {:>10}", harness::module_bytes(name).len());
    }
}

fn print_instructions(measured: &[Measured]) {
    println!("\nInstructions (a byte of the chunk)");
    print!("  {:<20} {:>9}", "operation", "chunk");
    for subject in SUBJECTS {
        print!(" {:>26}", subject.label);
    }
    println!();
    for operation in OPERATIONS {
        for (label, chunk_len_bytes) in CHUNKS {
            print!("  {:<20} {label:>9}", operation.label());
            for subject in SUBJECTS {
                let cell = measured
                    .iter()
                    .find(|m| m.is(operation, subject.label, chunk_len_bytes))
                    .map(|m| format!("{} ({:.2})", m.instructions, m.per_byte()))
                    .unwrap_or_default();
                print!(" {cell:>26}");
            }
            println!();
        }
    }
}

fn print_routes(routes: &[cycles::Route]) {
    println!("\nCycles for a GiB on 13 nodes");
    for route in routes {
        println!("  {:<46} {:>17}", route.label, route.cycles_per_gib);
    }
}

fn report(measured: &[Measured], routes: &[cycles::Route]) -> String {
    let modules: Vec<_> = MODULES
        .iter()
        .map(|name| json!({ "module": name, "bytes": harness::module_bytes(name).len() }))
        .collect();
    let operations: Vec<_> = measured
        .iter()
        .map(|m| {
            json!({
                "operation": m.operation.label(),
                "subject": m.subject,
                "chunk_bytes": m.chunk_len_bytes,
                "message_bytes": m.message_len_bytes,
                "instructions": m.instructions,
            })
        })
        .collect();
    let routes: Vec<_> = routes
        .iter()
        .map(|route| json!({ "route": route.label, "cycles_per_gib": route.cycles_per_gib }))
        .collect();
    let report = json!({
        "modules": modules,
        "operations": operations,
        "cycles_per_gib_13_nodes": routes,
    });
    format!("{report:#}\n")
}
