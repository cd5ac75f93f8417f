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
    let sizes = sizes();
    print_sizes(&sizes);
    let measured = measure_all();
    print_instructions(&measured);
    let routes = cycles::routes(&measured);
    print_routes(&routes);

    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.next()) {
            ("--json", Some(path)) => {
                let report = report(&sizes, &measured, &routes);
                std::fs::write(&path, report).unwrap_or_else(|error| panic!("{path}: {error}"));
            }
            _ => {
                eprintln!("usage: cargo xtask bench [--json FILE]");
                std::process::exit(2);
            }
        }
    }
}

/// Name and length of every module that was built, ours first.
fn sizes() -> Vec<(String, u64)> {
    let folder = harness::module_folder();
    let list = |below: &str| -> Vec<(String, u64)> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder.join(below)).unwrap() {
            let (path, entry) = entry.map(|entry| (entry.path(), entry)).unwrap();
            if path
                .extension()
                .is_some_and(|extension| extension == "wasm")
            {
                let stem = path.file_stem().unwrap().to_string_lossy();
                found.push((format!("{below}{stem}"), entry.metadata().unwrap().len()));
            }
        }
        found.sort();
        found
    };
    [list(""), list("patients/")].concat()
}

fn print_sizes(sizes: &[(String, u64)]) {
    println!("Modules, bytes");
    for (name, len_bytes) in sizes {
        println!("  {name:<32} {len_bytes:>10}");
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

/// What `--json` writes: everything that is printed, and what it was computed from.
fn report(sizes: &[(String, u64)], measured: &[Measured], routes: &[cycles::Route]) -> String {
    let modules: Vec<_> = sizes
        .iter()
        .map(|(name, len_bytes)| json!({ "module": name, "bytes": len_bytes }))
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
    let constants: Vec<_> = cycles::CONSTANTS
        .iter()
        .map(|(constant, value)| json!({ "constant": constant, "value": value }))
        .collect();
    let report = json!({
        "constants_13_nodes": constants,
        "modules": modules,
        "operations": operations,
        "cycles_per_gib_13_nodes": routes,
    });
    format!("{report:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// The texts under `key` of a list in the report.
    fn texts<'a>(report: &'a Value, list: &str, key: &str) -> Vec<&'a str> {
        let items = report[list].as_array().unwrap();
        items
            .iter()
            .map(|item| item[key].as_str().unwrap())
            .collect()
    }

    /// The pair is compared where the other subject can do the same at all.
    #[test]
    fn the_report_has_every_module_operation_and_route() {
        let measured = measure_all();
        let routes = cycles::routes(&measured);
        let report: Value = serde_json::from_str(&report(&sizes(), &measured, &routes)).unwrap();

        let modules = texts(&report, "modules", "module");
        for name in harness::READERS {
            assert!(modules.contains(&name), "{modules:?}");
        }
        assert!(modules.contains(&"rescue") && modules.contains(&"patients/endpoints"));
        for module in report["modules"].as_array().unwrap() {
            assert!(module["bytes"].as_u64().unwrap() > 1_000, "{module}");
        }

        let usual = "ic-cdk, the usual way";
        for operation in [
            "stable read",
            "stable hash, 1 of 4",
            "stable write",
            "compressed write",
        ] {
            for chunk_len_bytes in [1_048_576, 2_000_000] {
                let find = |subject: &str| {
                    let items = report["operations"].as_array().unwrap();
                    let found = items.iter().find(|item| {
                        item["operation"] == operation
                            && item["subject"] == subject
                            && item["chunk_bytes"] == chunk_len_bytes
                    });
                    found.unwrap()["instructions"].as_u64().unwrap()
                };
                // In fours the pair is the cheaper one throughout.
                assert!(find("pair") > chunk_len_bytes, "{operation}");
                assert!(find("pair") < find(usual), "{operation}");
            }
        }

        assert_eq!(
            texts(&report, "cycles_per_gib_13_nodes", "route"),
            [
                "download by plain query",
                "download by replicated query",
                "checksums by replicated query",
                "taking a snapshot",
                "download of a snapshot",
                "upload, raw",
                "upload, compressed account records",
            ]
        );
    }
}
