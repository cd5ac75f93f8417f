//! Why a gateway shows no page.

use crate::http::Reply;
use crate::http::reply::not_supported_text;
use pocket_ic::{RejectCode, RejectResponse};

/// A visit that ends without a canister's answer. Names and statuses are those of the real gateway; the words say more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// The request has no header `Host`.
    #[error("the request names no host; send the header `Host`")]
    NoAuthority,
    /// The host belongs to none of the gateway's domains.
    #[error("`{0}` is not served by this gateway; use <canister id>.localhost")]
    UnknownDomain(String),
    /// Nothing names a canister.
    #[error(
        "the address names no canister; use <canister id>.localhost as the host, or add ?canisterId=<canister id>"
    )]
    CanisterIdNotResolved,
    /// Something names a canister, in a wrong way.
    #[error("no canister id: {0}; check it")]
    CanisterIdIncorrect(String),
    /// No subnet has such a canister, or it has no `http_request`.
    #[error("{0}")]
    CanisterNotFound(String),
    /// The canister trapped, or is not running.
    #[error("the canister failed to answer: {0}")]
    CanisterError(String),
    /// The canister rejected the request.
    #[error("the canister rejected the request: {0}")]
    CanisterReject(String),
    /// The canister has too few cycles.
    #[error("{0}")]
    CanisterFrozen(String),
    /// The answer is not certified, or not as it should be.
    #[error(
        "the answer is not certified as it should be: {0}; <canister id>.raw.localhost shows it unverified"
    )]
    ResponseVerification(String),
    /// The answer cannot be understood.
    #[error("the canister's answer is none that a gateway understands: {0}")]
    BadAnswer(String),
    /// No answer in time.
    #[error(
        "no answer after {0} seconds; is the network progressing (auto_progress), is the canister stuck?"
    )]
    TimedOut(u64),
    /// A part of the gateway protocol that is not modelled.
    #[error("{}", not_supported_text(.0))]
    NotSupported(&'static str),
}

impl GatewayError {
    /// What the network said about a call or query.
    pub fn from_reject(reject: &RejectResponse) -> Self {
        let text = reject.reject_message.clone();
        match reject.reject_code {
            RejectCode::CanisterError => Self::CanisterError(text),
            RejectCode::CanisterReject => Self::CanisterReject(text),
            RejectCode::SysTransient if text.contains("frozen") => Self::CanisterFrozen(text),
            RejectCode::DestinationInvalid => Self::CanisterNotFound(text),
            _ => Self::BadAnswer(text),
        }
    }

    /// The name of the cause.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::NoAuthority => "no_authority",
            Self::UnknownDomain(_) => "unknown_domain",
            Self::CanisterIdNotResolved => "canister_id_not_resolved",
            Self::CanisterIdIncorrect(_) => "canister_id_incorrect",
            Self::CanisterNotFound(_) => "canister_not_found",
            Self::CanisterError(_) => "canister_error",
            Self::CanisterReject(_) => "canister_reject",
            Self::CanisterFrozen(_) => "canister_frozen",
            Self::ResponseVerification(_) => "response_verification_error",
            Self::BadAnswer(_) | Self::TimedOut(_) => "upstream_error",
            Self::NotSupported(_) => "not_supported",
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::NoAuthority
            | Self::UnknownDomain(_)
            | Self::CanisterIdNotResolved
            | Self::CanisterIdIncorrect(_) => 400,
            Self::CanisterNotFound(_) => 404,
            Self::NotSupported(_) => 501,
            _ => 503,
        }
    }

    /// The page that says so.
    pub fn reply(&self) -> Reply {
        Reply::text(
            self.status(),
            format!("error: {}\ndetails: {self}\n", self.cause()),
        )
    }
}
