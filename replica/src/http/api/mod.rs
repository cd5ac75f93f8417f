//! The Internet Computer's HTTP interface, `/api/v2`, `/api/v3` and `/api/v4`.
//!
//! Versions differ in two things: how delegations state canister ranges, and whether a call waits for its answer
//! (v3 and later) or not (v2). Faults ordered by a test are applied here and nowhere else.

mod call;
mod envelope;
mod paths;
mod query;
mod read_state;
mod status;

use super::{Answer, Reply, Request};
use crate::cert::DelegationForm;
use crate::core::api::EffectivePrincipal;
use crate::faults::{self, Draw, Endpoint, Fault, Subject};
use crate::server::Hosted;
use candid::Principal;
use envelope::Parsed;
use hyper::Method;
use std::sync::Arc;

/// Version of the interface, from the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Calls are acknowledged, not awaited; ranges are flat.
    V2,
    /// Calls are awaited; ranges are flat in answers to calls, sharded elsewhere.
    V3,
    /// As v3, ranges always sharded. Exists for calls only.
    V4,
}

/// A request to the interface, on its way to the function that answers it.
struct Target {
    version: Version,
    effective: EffectivePrincipal,
}

impl Target {
    /// The principal in the URL.
    fn principal(&self) -> Principal {
        match self.effective {
            EffectivePrincipal::Canister(id) | EffectivePrincipal::Subnet(id) => id,
            EffectivePrincipal::None => Principal::management_canister(),
        }
    }
}

/// Answers a request to `/instances/N/api/<path>`.
pub fn handle(hosted: &Arc<Hosted>, request: &Request, path: &[&str]) -> Answer {
    match (&request.method, path) {
        (&Method::GET, ["v2", "status"]) => {
            with_faults(hosted, &plain(Endpoint::Status), |_| status::answer(hosted))
        }
        (&Method::POST, [version, scope, id, endpoint]) => {
            match parse_target(version, scope, id, endpoint) {
                Ok((target, endpoint)) => dispatch(hosted, request, &target, endpoint),
                Err(reply) => reply.into(),
            }
        }
        (&Method::OPTIONS, _) => Reply::empty(204).into(),
        _ => Reply::text(
            404,
            format!(
                "no such endpoint: {} /api/{}",
                request.method,
                path.join("/")
            ),
        )
        .into(),
    }
}

fn plain(endpoint: Endpoint) -> Subject<'static> {
    Subject {
        endpoint,
        canister: None,
        method: None,
    }
}

fn parse_target(
    version: &str,
    scope: &str,
    id: &str,
    endpoint: &str,
) -> Result<(Target, Endpoint), Reply> {
    let unknown = || {
        Reply::text(
            404,
            format!("no such endpoint: /api/{version}/{scope}/{id}/{endpoint}"),
        )
    };
    let version = match version {
        "v2" => Version::V2,
        "v3" => Version::V3,
        "v4" => Version::V4,
        _ => return Err(unknown()),
    };
    let endpoint = match endpoint {
        "call" => Endpoint::Call,
        "query" if version <= Version::V3 => Endpoint::Query,
        "read_state" if version <= Version::V3 => Endpoint::ReadState,
        _ => return Err(unknown()),
    };
    let id = Principal::from_text(id).map_err(|error| {
        Reply::text(400, format!("Invalid principal `{id}` in the URL: {error}"))
    })?;
    let effective = match scope {
        "canister" => EffectivePrincipal::Canister(id),
        "subnet" => EffectivePrincipal::Subnet(id),
        _ => return Err(unknown()),
    };
    Ok((Target { version, effective }, endpoint))
}

fn dispatch(
    hosted: &Arc<Hosted>,
    request: &Request,
    target: &Target,
    endpoint: Endpoint,
) -> Answer {
    let parsed = match Parsed::from_body(&request.body, endpoint) {
        Ok(parsed) => parsed,
        Err(reply) => return reply.into(),
    };
    let (canister, method) = parsed.subject();
    let subject = Subject {
        endpoint,
        canister: canister.or(Some(target.principal())),
        method,
    };
    with_faults(hosted, &subject, |draw| match endpoint {
        Endpoint::Call => call::answer(hosted, target, &parsed),
        Endpoint::Query => query::answer(hosted, target, &parsed, draw),
        _ => read_state::answer(hosted, target, &parsed),
    })
}

/// Runs `execute` with whatever a fault plan asks for around it.
fn with_faults(
    hosted: &Hosted,
    subject: &Subject<'_>,
    execute: impl Fn(Option<&Draw>) -> Reply,
) -> Answer {
    let Some(draw) = hosted.faults().draw(subject) else {
        return execute(None).into();
    };
    let mut reply = match draw.fault {
        Fault::Cut => Reply::empty(500),
        Fault::Status { code } => Reply::text(code, "broken on request of a fault plan"),
        Fault::Duplicate => {
            execute(None);
            execute(None)
        }
        Fault::Lie => execute(Some(&draw)),
        _ => execute(None),
    };
    let delivery = faults::deliver(&draw, &mut reply.body);
    Answer { reply, delivery }
}

/// How the delegation of an answer states canister ranges.
fn delegation_form(target: &Target, endpoint: Endpoint) -> DelegationForm {
    match (target.effective, target.version, endpoint) {
        (_, Version::V2, _) | (_, Version::V3, Endpoint::Call) => DelegationForm::Flat,
        (EffectivePrincipal::Subnet(_), Version::V3, Endpoint::ReadState) => {
            DelegationForm::NoRanges
        }
        _ => DelegationForm::Tree,
    }
}

/// An error in the form in which boundary nodes answer.
pub fn boundary_error(status: u16, cause: &str, details: &str) -> Reply {
    let mut reply = Reply::text(status, format!("error: {cause}\ndetails: {details}"));
    reply
        .headers
        .push(("x-ic-error-cause".into(), cause.to_owned()));
    reply
}

/// A canister or subnet in the URL that no subnet of the network serves.
fn not_routed(target: &Target) -> Reply {
    match target.effective {
        EffectivePrincipal::Subnet(_) => boundary_error(
            400,
            "subnet_not_found",
            "The specified subnet cannot be found.",
        ),
        _ => boundary_error(
            400,
            "canister_not_found",
            "The specified canister does not exist.",
        ),
    }
}
