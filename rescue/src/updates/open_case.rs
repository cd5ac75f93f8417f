//! `open_case`: looks at the patient and puts on record how it was found.

use candid::Principal;
use rescue_api::{OpenCaseArgs, Refusal, SnapshotPolicy};

use crate::case::model::{self, Case, Held, MemoryRecord, Phase};
use crate::limits;
use crate::runner;
use crate::store::{cases, settings};
use crate::updates::declare::parse_hash;
use crate::view::parse;

/// Opens a case.
pub async fn open_case(actor: Principal, args: OpenCaseArgs) -> Result<Case, Refusal> {
    let patient = args.patient;
    let rescue = ic_cdk::api::canister_self();
    check_patient(patient, rescue)?;
    let final_hash = args
        .final_module_hash
        .map(|hash| parse_hash(&hash))
        .transpose()?;
    let policy = parse_policy(args.snapshot)?;
    check_room(patient)?;
    let seen = runner::plain_look(patient).await?.seen;
    if seen.module_hash.is_none() {
        return Err(Refusal::InvalidArgument {
            argument: "patient".to_string(),
            why: "it has no module: there is nothing to rescue".to_string(),
        });
    }
    // Someone may have opened a case for the same patient meanwhile.
    check_room(patient)?;
    let now = ic_cdk::api::time();
    let id = settings::change(|settings| {
        let id = settings.next_case;
        settings.next_case += 1;
        id
    });
    let case = Case {
        id,
        patient,
        rescue,
        opened_by: actor,
        opened_at: now,
        changed_at: now,
        phase: Phase::Holding {
            module: Held::Own,
            run: seen.run,
        },
        pending: None,
        next_token: 1,
        own_hash: seen.module_hash,
        pair_hash: None,
        baseline: seen.clone(),
        last_seen: seen,
        final_hash,
        policy,
        snapshot: None,
        lived_since_snapshot: false,
        rolled_back: false,
        held_before_foreign: Held::Own,
        plan: parse::plan(args.plan),
        stable: MemoryRecord::default(),
        heap: MemoryRecord::default(),
        journal_length: 0,
        staged_chunks: 0,
        staged_bytes: 0,
    };
    let detail = match &case.policy {
        model::SnapshotPolicy::Take => format!("patient {patient}"),
        model::SnapshotPolicy::Waive(risk) => {
            format!("patient {patient}, without a snapshot: {risk}")
        }
    };
    Ok(cases::add(case, detail))
}

fn check_patient(patient: Principal, rescue: Principal) -> Result<(), Refusal> {
    let why = if patient == rescue {
        "the rescue canister cannot rescue itself"
    } else if patient == Principal::management_canister() || patient == Principal::anonymous() {
        "not a canister"
    } else {
        return Ok(());
    };
    Err(Refusal::InvalidArgument {
        argument: "patient".to_string(),
        why: why.to_string(),
    })
}

/// Whether there is room for one more case, about this patient.
///
/// # Errors
/// [`Refusal::AlreadyOpen`] and [`Refusal::TooLarge`].
pub fn check_room(patient: Principal) -> Result<(), Refusal> {
    if let Some(case) = cases::open_case_of(patient) {
        return Err(Refusal::AlreadyOpen { case });
    }
    let found = cases::count();
    if found >= limits::CASES_MAX {
        return Err(Refusal::TooLarge {
            what: "number of cases (forget closed ones)".to_string(),
            limit: limits::CASES_MAX,
            found,
        });
    }
    Ok(())
}

fn parse_policy(policy: SnapshotPolicy) -> Result<model::SnapshotPolicy, Refusal> {
    match policy {
        SnapshotPolicy::Take => Ok(model::SnapshotPolicy::Take),
        SnapshotPolicy::Waive { risk } => {
            if risk.trim().is_empty() {
                return Err(Refusal::InvalidArgument {
                    argument: "risk".to_string(),
                    why: "say why there is no snapshot and which risk that is".to_string(),
                });
            }
            if risk.len() > limits::RISK_LEN_MAX_BYTES {
                return Err(Refusal::TooLarge {
                    what: "length of risk in bytes".to_string(),
                    limit: limits::RISK_LEN_MAX_BYTES as u64,
                    found: risk.len() as u64,
                });
            }
            Ok(model::SnapshotPolicy::Waive(risk))
        }
    }
}
