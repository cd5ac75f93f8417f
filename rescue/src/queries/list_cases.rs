//! `list_cases`: cases, one line each.

use rescue_api::CaseSummary;

use crate::case::model::CaseId;
use crate::limits;
use crate::store::cases;
use crate::view;

/// Up to `count` cases from number `first` on.
pub fn list_cases(first: CaseId, count: u32) -> Vec<CaseSummary> {
    cases::page(first, count.min(limits::CASES_PAGE_MAX))
        .iter()
        .map(view::summary)
        .collect()
}
