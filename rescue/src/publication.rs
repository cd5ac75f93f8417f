//! What every update ends with: certified roots, overview and pages follow the cases that changed.

use std::cell::RefCell;

use crate::case::model::CaseId;
use crate::certification::{self, Tree};
use crate::limits;
use crate::pages::{self, Page, Vitals};
use crate::store::{cases, settings};
use crate::{overview, pages::phase_word};

thread_local! {
    static PAGES: RefCell<Vec<Page>> = const { RefCell::new(Vec::new()) };
}

/// Publishes everything: after an installation or an upgrade.
pub fn publish_all() {
    let ids: Vec<CaseId> = cases::page(0, limits::CASES_MAX as u32)
        .iter()
        .map(|case| case.id)
        .collect();
    publish(&ids);
}

/// Publishes the cases that were written since the last time.
pub fn publish_changes() {
    publish(&cases::take_touched());
}

fn publish(ids: &[CaseId]) {
    certification::change(|tree| {
        for id in ids {
            follow(tree, *id);
        }
        let pages = if settings::get().dashboard {
            pages::render(vitals())
        } else {
            Vec::new()
        };
        tree.put_pages(pages.iter().map(|page| page.answer.entry()));
        PAGES.set(pages);
    });
}

fn follow(tree: &mut Tree, id: CaseId) {
    match cases::get(id) {
        Ok(case) => {
            tree.put_case(&case);
            overview::change(|overview| overview.put(id, phase_word(&case)));
        }
        Err(_) => {
            tree.remove_case(id);
            overview::change(|overview| overview.remove(id));
        }
    }
}

/// The page that answers a path; none if nothing is published.
pub fn page(path: &str) -> Option<Page> {
    PAGES.with_borrow(|pages| {
        let exact = pages.iter().find(|page| page.path == path);
        exact.or(pages.last()).cloned()
    })
}

fn vitals() -> Vitals {
    Vitals {
        now: ic_cdk::api::time(),
        cycles: ic_cdk::api::canister_cycle_balance(),
        stable_bytes: ic_cdk::api::stable_size() * wire::limits::PAGE_LEN_BYTES,
        heap_bytes: heap_bytes(),
    }
}

#[cfg(target_arch = "wasm32")]
fn heap_bytes() -> u64 {
    core::arch::wasm32::memory_size::<0>() as u64 * wire::limits::PAGE_LEN_BYTES
}

#[cfg(not(target_arch = "wasm32"))]
const fn heap_bytes() -> u64 {
    0
}
