//! What people and monitors see: `/`, a plain page, and `/metrics`, Prometheus text.
//!
//! Both are rendered after each update, when they can be certified, and kept in the heap until the next.
//! They tell phases, progress, hashes and the journal; never a byte of a memory. No scripts, nothing from
//! elsewhere.

use std::fmt::Write;

use crate::answer::{Answer, Place};
use crate::case::judge::hex;
use crate::case::model::{Case, Heap, Held, Memories, Memory, Operation, Pair, Phase, Run};
use crate::case::plan::{self, Next};
use crate::limits::SECOND_NANOS;
use crate::overview::{self, Overview};
use crate::store::counters::Counters;
use crate::store::{cases, counters, journal, settings};

const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN_TYPE: &str = "text/plain; charset=utf-8";
/// Cases shown, newest first.
const CASES_SHOWN_MAX: usize = 20;
/// Journal lines shown of each.
const LINES_SHOWN_MAX: u64 = 12;

/// A rendered page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its path; that of the last page stands for all paths that have no page.
    pub path: &'static str,
    /// What is answered.
    pub answer: Answer,
}

/// Facts about the canister itself.
#[derive(Clone, Copy, Debug)]
pub struct Vitals {
    /// When, nanoseconds.
    pub now: u64,
    /// Cycles.
    pub cycles: u128,
    /// Stable memory, bytes.
    pub stable_bytes: u64,
    /// Heap, bytes.
    pub heap_bytes: u64,
}

/// Renders the pages, and at the end the one for every other path.
pub fn render(vitals: Vitals) -> Vec<Page> {
    let metrics = overview::with(|overview| {
        let last_upgrade = settings::get().upgraded_at.unwrap_or_default();
        metrics(vitals, overview, &counters::get(), last_upgrade)
    });
    let page = |path, status, content_type, body| Page {
        path,
        answer: Answer::new(Place::Exactly(path), status, content_type, body),
    };
    let missing = "There are / and /metrics.\n".to_string();
    vec![
        page("/", 200, "text/html; charset=utf-8", dashboard(vitals)),
        page("/metrics", 200, METRICS_TYPE, metrics),
        Page {
            path: "",
            answer: Answer::new(Place::Anywhere, 404, PLAIN_TYPE, missing),
        },
    ]
}

/// `/metrics`. Times are seconds since 1970.
#[must_use]
pub fn metrics(
    vitals: Vitals,
    overview: &Overview,
    counters: &Counters,
    upgraded_at: u64,
) -> String {
    let mut text = String::new();
    let mut put = |name: &str, kind: &str, help: &str, value: u128| {
        let _ = write!(
            text,
            "# HELP ic_rescue_{name} {help}\n# TYPE ic_rescue_{name} {kind}\nic_rescue_{name} {value}\n"
        );
    };
    let second = u128::from(SECOND_NANOS);
    let now = u128::from(vitals.now) / second;
    put(
        "rendered_seconds",
        "gauge",
        "When these figures were taken.",
        now,
    );
    put(
        "stable_memory_bytes",
        "gauge",
        "Stable memory of the rescue canister.",
        vitals.stable_bytes.into(),
    );
    put(
        "heap_memory_bytes",
        "gauge",
        "Wasm heap of the rescue canister.",
        vitals.heap_bytes.into(),
    );
    put(
        "cycles",
        "gauge",
        "Cycles of the rescue canister.",
        vitals.cycles,
    );
    put(
        "last_upgrade_seconds",
        "gauge",
        "When its module was last upgraded; 0 if never.",
        u128::from(upgraded_at) / second,
    );
    put(
        "checksummed_bytes_total",
        "counter",
        "Bytes hashed for checksums.",
        counters.checksummed_bytes.into(),
    );
    put(
        "attested_bytes_total",
        "counter",
        "Bytes hashed for attestations.",
        counters.attested_bytes.into(),
    );
    put(
        "updates_total",
        "counter",
        "Updates let in.",
        counters.updates.into(),
    );
    put(
        "refusals_total",
        "counter",
        "Updates refused.",
        counters.refusals.into(),
    );
    put(
        "calls_total",
        "counter",
        "Calls to other canisters.",
        counters.calls.into(),
    );
    put(
        "call_errors_total",
        "counter",
        "Calls of them that failed.",
        counters.call_errors.into(),
    );
    put(
        "foreign_changes_total",
        "counter",
        "Changes of patients by others that were noticed.",
        counters.foreign_changes.into(),
    );
    text.push_str("# HELP ic_rescue_cases Cases by phase.\n# TYPE ic_rescue_cases gauge\n");
    for (phase, count) in overview.by_phase() {
        let _ = writeln!(text, "ic_rescue_cases{{phase=\"{phase}\"}} {count}");
    }
    text
}

/// One word for a phase, as in metrics.
#[must_use]
pub fn phase_word(case: &Case) -> &'static str {
    if case.in_doubt().is_some() {
        return "unknown";
    }
    match &case.phase {
        Phase::Closed => "closed",
        Phase::Foreign { .. } => "foreign",
        Phase::Holding { module, run } => match (module, run) {
            (Held::Own, Run::Running) => "own_running",
            (Held::Own, Run::Stopping) => "own_stopping",
            (Held::Own, Run::Stopped) => "own_stopped",
            (Held::Pair(Pair::Downloader), Run::Running) => "downloader_running",
            (Held::Pair(Pair::Downloader), Run::Stopping) => "downloader_stopping",
            (Held::Pair(Pair::Downloader), Run::Stopped) => "downloader_stopped",
            (Held::Pair(Pair::Uploader), Run::Running) => "uploader_running",
            (Held::Pair(Pair::Uploader), Run::Stopping) => "uploader_stopping",
            (Held::Pair(Pair::Uploader), Run::Stopped) => "uploader_stopped",
            (Held::Final, Run::Running) => "final_running",
            (Held::Final, Run::Stopping) => "final_stopping",
            (Held::Final, Run::Stopped) => "final_stopped",
        },
    }
}

const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>ic-rescue</title>\
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:auto;padding:1rem;color:#222;\
background:#fff}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem;border-top:1px solid #ccc;\
padding-top:1rem}code{font-size:.85em;overflow-wrap:anywhere}dt{font-weight:600}dd{margin:0 0 .4rem 0}\
ol{padding-left:1.8rem}li{margin:.3rem 0;overflow-wrap:anywhere}time{color:#666;font-size:.85em}\
progress{width:100%;display:block}\
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}time{color:#999}}</style></head><body>\n";

/// `/`.
fn dashboard(vitals: Vitals) -> String {
    let mut page = String::from(HEAD);
    let shown = overview::with(|overview| overview.newest(CASES_SHOWN_MAX));
    let total = cases::count();
    let _ = writeln!(
        page,
        "<h1>ic-rescue</h1><p>{total} case{}; as of <time>{}</time>. {} cycles.</p>",
        if total == 1 { "" } else { "s" },
        utc(vitals.now),
        grouped(vitals.cycles)
    );
    if shown.is_empty() {
        page.push_str("<p>No case has been opened.</p>\n");
    }
    for id in shown {
        if let Ok(case) = cases::get(id) {
            section(&mut page, &case);
        }
    }
    page.push_str("</body></html>\n");
    page
}

fn section(page: &mut String, case: &Case) {
    let _ = write!(
        page,
        "<h2>Case {}: <code>{}</code></h2><dl><dt>Phase</dt><dd>{}</dd>",
        case.id,
        case.patient,
        phase_word(case).replace('_', ", ")
    );
    if let Phase::Foreign { found, .. } = &case.phase {
        let _ = write!(page, "<dt>Found</dt><dd>{}</dd>", escape(found));
    }
    if let Some(pending) = &case.pending {
        let _ = write!(
            page,
            "<dt>Under way</dt><dd>{}</dd>",
            words(pending.operation)
        );
    }
    match plan::next(case) {
        Next::Do(operation) => {
            let _ = write!(page, "<dt>Next</dt><dd>{}</dd>", words(operation));
        }
        Next::Operator(waits_for) => {
            let _ = write!(page, "<dt>Waits for</dt><dd>{}</dd>", escape(waits_for));
        }
        Next::Finished => {}
    }
    for (name, hash) in [
        ("Own module", case.own_hash),
        ("Module of the pair", case.pair_hash),
        ("Final module", case.final_hash),
    ] {
        if let Some(hash) = hash {
            let hash = hex(hash.as_slice());
            let _ = write!(page, "<dt>{name}</dt><dd><code>{hash}</code></dd>");
        }
    }
    for memory in Memory::ALL {
        memory_row(page, case, memory);
    }
    let first = case.journal_length.saturating_sub(LINES_SHOWN_MAX);
    let _ = write!(page, "</dl><ol start=\"{}\">", first + 1);
    for (_, entry) in journal::page(case.id, first, LINES_SHOWN_MAX) {
        let step = entry
            .operation
            .map(|operation| format!("{}: ", words(operation)))
            .unwrap_or_default();
        let _ = write!(
            page,
            "<li><time>{}</time> {}<b>{}</b> {}</li>",
            utc(entry.at),
            step,
            escape(&entry.event),
            escape(&entry.detail)
        );
    }
    page.push_str("</ol>\n");
}

fn memory_row(page: &mut String, case: &Case, memory: Memory) {
    let record = case.memory(memory);
    let Some(size) = record.size_bytes else {
        return;
    };
    let name = match memory {
        Memory::Stable => "Stable memory",
        Memory::Heap => "Heap",
    };
    let total = record.chunks_total();
    let _ = write!(
        page,
        "<dt>{name}</dt><dd>{} bytes, {} of {total} checksums recorded\
         <progress max=\"{total}\" value=\"{}\"></progress>",
        grouped(size.into()),
        record.recorded,
        record.recorded
    );
    if let Some(root) = record.root {
        let _ = write!(page, "root <code>{}</code>", hex(root.as_slice()));
    }
    if let Some(attestation) = &record.attestation {
        let _ = write!(
            page,
            "; {} of {total} attested, {} differ",
            attestation.checked, attestation.mismatches
        );
    }
    page.push_str("</dd>");
}

/// A step in words; the only text of the page that needs no escaping.
fn words(operation: Operation) -> String {
    let memory = |memory| match memory {
        Memory::Stable => "stable memory",
        Memory::Heap => "heap",
    };
    match operation {
        Operation::SwapIn { module, memories } => format!(
            "swap in {} ({})",
            match module {
                Pair::Downloader => "downloader",
                Pair::Uploader => "uploader",
            },
            match memories {
                Memories::Keep => "keep memories",
                Memories::ReplaceHeap => "replace heap",
                Memories::Wipe => "wipe memories",
            }
        ),
        Operation::Checksum(of) => format!("checksum of {}", memory(of)),
        Operation::Attest(of) => format!("attest {}", memory(of)),
        Operation::Install(Heap::Keep) => "install (keep heap)".to_string(),
        Operation::Install(Heap::Replace) => "install (replace heap)".to_string(),
        Operation::PutModuleChunk => "put module chunk".to_string(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// A number with its thousands apart.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Date and time in UTC, to the second.
fn utc(nanos: u64) -> String {
    let seconds = nanos / SECOND_NANOS;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_date(days);
    format!(
        "{year}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. Years begin in
/// March here, so that the leap day is the last of its year.
const fn civil_date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_399 * SECOND_NANOS), "2000-02-28 23:59:59 UTC");
        assert_eq!(utc(951_782_400 * SECOND_NANOS), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_798_761_599 * SECOND_NANOS), "2026-12-31 23:59:59 UTC");
    }

    #[test]
    fn thousands_are_apart() {
        let numbers = [0, 999, 1_000, 99_951_622_538_782];
        let texts = numbers.map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "99,951,622,538,782"]);
    }

    #[test]
    fn text_of_operators_cannot_become_markup() {
        assert_eq!(
            escape("<b>\"a\" & b</b>"),
            "&lt;b&gt;&quot;a&quot; &amp; b&lt;/b&gt;"
        );
    }

    #[test]
    fn metrics_name_help_and_type_of_every_figure() {
        let vitals = Vitals {
            now: 5 * SECOND_NANOS,
            cycles: 7,
            stable_bytes: 65_536,
            heap_bytes: 131_072,
        };
        let text = metrics(vitals, &Overview::default(), &Counters::default(), 0);
        assert!(text.contains("\nic_rescue_stable_memory_bytes 65536\n"));
        assert!(text.contains("\nic_rescue_cycles 7\n"));
        let figures = text.lines().filter(|line| !line.starts_with('#'));
        for figure in figures {
            let name = figure.split([' ', '{']).next().unwrap();
            assert!(text.contains(&format!("# TYPE {name} ")), "{name}");
        }
    }
}
