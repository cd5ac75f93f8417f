//! Cases, and the one door through which they change: [`apply`] steps the state machine, journals
//! what it did and writes the case, all in one message.

use std::cell::RefCell;
use std::collections::BTreeSet;

use candid::Principal;
use ic_stable_structures::StableBTreeMap;
use rescue_api::Refusal;

use super::journal;
use super::versioned::Versioned;
use crate::case::model::{Case, CaseId, Operation, Phase};
use crate::case::step::{Event, Line, step};
use crate::limits;
use crate::memory::{self, Region};

type Map = StableBTreeMap<u64, Versioned<Case>, Region>;

thread_local! {
    static CASES: RefCell<Map> = RefCell::new(StableBTreeMap::init(memory::cases()));
    static TOUCHED: RefCell<BTreeSet<CaseId>> = const { RefCell::new(BTreeSet::new()) };
}

/// Reads a case.
pub fn get(id: CaseId) -> Result<Case, Refusal> {
    CASES
        .with_borrow(|map| map.get(&id))
        .map(|versioned| versioned.0)
        .ok_or(Refusal::NoSuchCase { case: id })
}

/// Reads `count` cases from number `first` on, or fewer.
pub fn page(first: CaseId, count: u32) -> Vec<Case> {
    CASES.with_borrow(|map| {
        map.range(first..)
            .take(count as usize)
            .map(|entry| entry.value().0)
            .collect()
    })
}

/// How many there are.
pub fn count() -> u64 {
    CASES.with_borrow(StableBTreeMap::len)
}

/// The case of a patient that is not closed.
pub fn open_case_of(patient: Principal) -> Option<CaseId> {
    CASES.with_borrow(|map| {
        map.iter()
            .map(|entry| entry.value().0)
            .find(|case| case.patient == patient && case.phase != Phase::Closed)
            .map(|case| case.id)
    })
}

/// Writes a new case.
pub fn add(mut case: Case, detail: String) -> Case {
    let line = Line {
        operation: None,
        event: "opened",
        detail,
    };
    let actor = case.opened_by;
    let now = case.opened_at;
    write_lines(&mut case, actor, now, vec![line]);
    put(&case);
    case
}

/// Applies an event to a case. On refusal nothing has changed.
pub fn apply(id: CaseId, event: Event, actor: Principal, now: u64) -> Result<Case, Refusal> {
    let case = get(id)?;
    check_journal(&case, &event)?;
    let mut stepped = step(&case, event, now)?;
    write_lines(&mut stepped.case, actor, now, stepped.lines);
    put(&stepped.case);
    Ok(stepped.case)
}

/// Removes a case with all that belongs to it.
pub fn remove(case: &Case) {
    journal::remove(case.id, case.journal_length);
    CASES.with_borrow_mut(|map| map.remove(&case.id));
    TOUCHED.with_borrow_mut(|touched| touched.insert(case.id));
}

/// Numbers of the cases that were written or removed since the last time this was asked.
pub fn take_touched() -> Vec<CaseId> {
    TOUCHED.take().into_iter().collect()
}

fn put(case: &Case) {
    CASES.with_borrow_mut(|map| map.insert(case.id, Versioned(case.clone())));
    TOUCHED.with_borrow_mut(|touched| touched.insert(case.id));
}

fn write_lines(case: &mut Case, actor: Principal, now: u64, lines: Vec<Line>) {
    for line in lines {
        let mut detail = line.detail;
        let mut end = detail.len().min(limits::DETAIL_LEN_MAX_BYTES);
        while !detail.is_char_boundary(end) {
            end -= 1;
        }
        detail.truncate(end);
        let entry = journal::Entry {
            at: now,
            actor,
            operation: line.operation,
            event: line.event.to_string(),
            detail,
            phase: case.phase.clone(),
            in_doubt: case.in_doubt().map(|pending| pending.operation),
        };
        journal::add(case.id, case.journal_length, entry);
        case.journal_length += 1;
    }
}

/// When the journal is full, only the way out is open.
fn check_journal(case: &Case, event: &Event) -> Result<(), Refusal> {
    let reserve = match event {
        Event::Begin { operation, .. } => match operation {
            Operation::Rollback | Operation::Close => {
                limits::JOURNAL_RESERVE + limits::JOURNAL_LAST_RESERVE
            }
            Operation::Stop | Operation::Start | Operation::Settle | Operation::Accept => {
                limits::JOURNAL_RESERVE
            }
            _ => 0,
        },
        Event::Declared { .. } => 0,
        // What has begun is always written to its end.
        _ => return Ok(()),
    };
    let limit = limits::JOURNAL_ENTRIES_MAX + reserve;
    if case.journal_length >= limit {
        return Err(Refusal::TooLarge {
            what: "number of journal entries of the case (roll back, or close it and open another)"
                .to_string(),
            limit,
            found: case.journal_length,
        });
    }
    Ok(())
}
