//! What people see of a case, in a real browser of a telephone's size, and what monitors read.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use candid::Principal;
use rescue_api::{
    Advance, CaseView, HeapChoice, JournalEntry, OpenCaseArgs, Plan, SnapshotPolicy, methods,
};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use tests::browser::{Browser, WIDTH};
use tests::rescue::Rescue;
use tests::{World, sha256, tiny};

/// A live case whose checksums are recorded, and the address of a gateway.
fn live_case() -> (World, Rescue, CaseView, u16) {
    let mut world = World::new();
    let rescue = Rescue::install(&world);
    let patient = tiny::install(
        &world,
        tiny::patient(tiny::FULL_PAGES, false),
        &[rescue.canister],
    );
    let opened = rescue.open(
        &world,
        OpenCaseArgs {
            patient,
            final_module_hash: Some(ByteBuf::from(sha256(&tiny::healthy("final")))),
            snapshot: SnapshotPolicy::Take,
            plan: Plan {
                heap: HeapChoice::Keep,
                restore: false,
            },
        },
    );
    loop {
        let done: Advance = rescue
            .update(&world, methods::ADVANCE, (opened.case,))
            .unwrap();
        if matches!(done, Advance::YourTurn { .. }) {
            break;
        }
    }
    let view = rescue.case(&world, opened.case);
    let port = world.pic.make_live(None).port().unwrap();
    (world, rescue, view, port)
}

fn host(canister: Principal) -> String {
    format!("{canister}.localhost")
}

#[test]
fn a_telephone_shows_phases_hashes_and_journal_and_asks_nobody_else() {
    let (world, rescue, view, port) = live_case();
    let origin = format!("http://{}:{port}/", host(rescue.canister));
    let mut browser = Browser::start();
    browser.open(&origin);

    let picture = BASE64_STANDARD.decode(browser.picture()).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(folder.join("dashboard.png"), picture).unwrap();

    let text = browser.evaluate("document.body.innerText");
    let text = text.as_str().unwrap().replace('\u{200b}', "");
    let hex = |bytes: &ByteBuf| hex::encode(bytes);
    let roots = view
        .memories
        .iter()
        .filter_map(|memory| memory.checksums.as_ref()?.root.as_ref());
    let hashes = [
        view.baseline.module_hash.as_ref(),
        view.last_seen.module_hash.as_ref(),
        view.final_module_hash.as_ref(),
    ];
    for hash in hashes.into_iter().flatten().chain(roots) {
        assert!(text.contains(&hex(hash)), "{} in\n{text}", hex(hash));
    }
    let patient = view.patient.to_text();
    for sign in [patient.as_str(), "downloader, running", "1 of 1"] {
        assert!(text.contains(sign), "{sign} in\n{text}");
    }
    let journal: Vec<JournalEntry> = rescue
        .query(&world, methods::JOURNAL, (view.case, 0_u64, 200_u32))
        .unwrap();
    for entry in journal.iter().rev().take(5) {
        assert!(text.contains(&entry.event), "{} in\n{text}", entry.event);
    }

    // Readable: nothing is wider than the screen, and nothing is tiny.
    let widest = browser.evaluate(
        "Math.max(document.documentElement.scrollWidth, \
         ...[...document.body.querySelectorAll('*')].map(e => e.getBoundingClientRect().right))",
    );
    assert!(widest.as_f64().unwrap() <= WIDTH as f64, "{widest} wide");
    assert_eq!(browser.evaluate("innerWidth"), WIDTH);
    let smallest = browser.evaluate(
        "Math.min(...[...document.body.querySelectorAll('*')] \
         .map(e => parseFloat(getComputedStyle(e).fontSize)))",
    );
    assert!(smallest.as_f64().unwrap() >= 12.0, "{smallest} px");

    // No script runs, and nothing comes from elsewhere.
    assert_eq!(browser.evaluate("document.scripts.length"), 0);
    for url in &browser.asked_for {
        assert!(url.starts_with(&origin), "the page asked for {url}");
    }
    drop(world);
}

#[test]
fn metrics_are_prometheus_text() {
    let (_world, rescue, _, port) = live_case();
    let host = host(rescue.canister);
    let url = format!("http://{host}:{port}/metrics");
    let (content_type, text) = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let client = reqwest::Client::builder()
            .resolve(&host, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .build()
            .unwrap();
        let response = client.get(url).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let content_type = response.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        (content_type, response.text().await.unwrap())
    });
    assert!(content_type.starts_with("text/plain; version=0.0.4"));
    let figures = parse_metrics(&text);
    for name in [
        "ic_rescue_stable_memory_bytes",
        "ic_rescue_heap_memory_bytes",
        "ic_rescue_checksummed_bytes_total",
        "ic_rescue_calls_total",
        "ic_rescue_call_errors_total",
        "ic_rescue_cycles",
        "ic_rescue_last_upgrade_seconds",
        "ic_rescue_cases{phase=\"downloader_running\"}",
    ] {
        assert!(figures.contains_key(name), "{name} in\n{text}");
    }
    assert_eq!(
        figures["ic_rescue_cases{phase=\"downloader_running\"}"],
        1.0
    );
    assert!(figures["ic_rescue_checksummed_bytes_total"] >= 2.0 * 131_072.0);
}

/// Prometheus text format 0.0.4, strictly: help, then type, then figures of that name, each once.
fn parse_metrics(text: &str) -> BTreeMap<String, f64> {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic() || "_:".contains(first))
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "_:".contains(letter))
    };
    assert!(text.ends_with('\n'));
    let mut figures = BTreeMap::new();
    let mut types = BTreeMap::new();
    let mut helped = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            helped = help.split_once(' ').unwrap().0.to_owned();
            assert!(is_name(&helped), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, helped, "{line}");
            assert!(["gauge", "counter"].contains(&kind), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            assert!(types.insert(name.to_owned(), kind).is_none(), "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert_eq!(name, helped, "{line}");
            assert!(types.contains_key(name), "{line}");
            if let Some((_, labels)) = series.split_once('{') {
                let label = labels.strip_suffix('}').unwrap();
                let (label, value) = label.split_once('=').unwrap();
                assert!(is_name(label), "{line}");
                let inner = value.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
                assert!(!inner.contains(['"', '\\', '\n']), "{line}");
            }
            let value: f64 = value.parse().unwrap();
            assert!(figures.insert(series.to_owned(), value).is_none(), "{line}");
        }
    }
    figures
}
