//! The user's check queries: what a canister must answer after a change as it did before.
//!
//! A check is `METHOD` or `METHOD='(candid)'`. Arguments are encoded with the types of the canister's own
//! interface where it tells them. Answers are compared by their bytes.

use crate::agent::Connection;
use crate::error::{CallError, CallErrorKind, CliError};
use crate::transfer::retry::Retry;
use candid::types::{Type, TypeEnv};
use candid::{IDLArgs, Principal};
use candid_parser::parse_idl_args;
use candid_parser::utils::CandidSource;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A query to be answered the same before and after.
#[derive(Clone, Debug)]
pub struct Check {
    /// As it was given.
    pub text: String,
    method: String,
    arg: Vec<u8>,
}

impl From<&Answer> for Check {
    /// The question behind an answer.
    fn from(answer: &Answer) -> Self {
        Self {
            text: answer.check.clone(),
            method: answer.method.clone(),
            arg: hex::decode(&answer.arg).unwrap_or_default(),
        }
    }
}

/// What a canister answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The check, as it was given.
    pub check: String,
    /// Its method.
    pub method: String,
    /// The bytes of its arguments, in hexadecimal: a module that stands in meanwhile cannot tell their types.
    pub arg: String,
    /// The reply in hexadecimal, if there was one.
    pub reply: Option<String>,
    /// The rejection, if there was none.
    pub rejection: Option<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 300;
        let text = match (&self.reply, &self.rejection) {
            (Some(reply), _) => {
                let bytes = hex::decode(reply).unwrap_or_default();
                match IDLArgs::from_bytes(&bytes) {
                    Ok(args) => args.to_string(),
                    Err(_) => format!("0x{reply}"),
                }
            }
            (None, Some(rejection)) => format!("rejected: {rejection}"),
            (None, None) => "nothing".to_string(),
        };
        if text.chars().count() > SHOWN_MAX {
            let shown: String = text.chars().take(SHOWN_MAX).collect();
            return write!(f, "{shown}…");
        }
        f.write_str(&text)
    }
}

/// Understands checks as given on the command line.
///
/// # Errors
/// [`CliError::BadCheck`] when one is not understood.
pub async fn parse(
    texts: &[String],
    connection: &Connection,
    canister: Principal,
    retry: &Retry,
) -> Result<Vec<Check>, CliError> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let section = retry
        .run(|| connection.metadata(canister, "candid:service"))
        .await
        .ok()
        .flatten();
    let interface = section
        .and_then(|section| String::from_utf8(section).ok())
        .and_then(|text| CandidSource::Text(&text).load().ok());
    texts
        .iter()
        .map(|text| understand(text, interface.as_ref()))
        .collect()
}

fn understand(text: &str, interface: Option<&(TypeEnv, Option<Type>)>) -> Result<Check, CliError> {
    let bad = |reason: String| CliError::BadCheck {
        check: text.to_string(),
        reason,
    };
    let (method, args) = text.split_once('=').unwrap_or((text, "()"));
    let method = method.trim();
    if method.is_empty() {
        return Err(bad("the method is missing".into()));
    }
    let args = parse_idl_args(args).map_err(|error| bad(error.to_string()))?;
    let arg = match interface {
        Some((types, Some(service))) => {
            let function = types
                .get_method(service, method)
                .map_err(|_| bad(format!("the canister has no method {method}")))?;
            args.to_bytes_with_types(types, &function.args)
        }
        _ => args.to_bytes(),
    };
    Ok(Check {
        text: text.to_string(),
        method: method.to_string(),
        arg: arg.map_err(|error| bad(error.to_string()))?,
    })
}

/// Asks every check.
///
/// # Errors
/// When the network fails; a rejection is an answer.
pub async fn ask(
    checks: &[Check],
    connection: &Connection,
    canister: Principal,
    retry: &Retry,
) -> Result<Vec<Answer>, CliError> {
    let mut answers = Vec::new();
    for check in checks {
        let result = retry
            .run(|| connection.query(canister, &check.method, check.arg.clone()))
            .await;
        let (reply, rejection) = match result {
            Ok(reply) => (Some(hex::encode(reply)), None),
            Err(CliError::Rejected(CallError {
                message,
                kind: CallErrorKind::Rejected,
                ..
            })) => (None, Some(message)),
            Err(other) => return Err(other),
        };
        answers.push(Answer {
            check: check.text.clone(),
            method: check.method.clone(),
            arg: hex::encode(&check.arg),
            reply,
            rejection,
        });
    }
    Ok(answers)
}

/// The checks that were answered in another way, in words.
pub fn differences(before: &[Answer], after: &[Answer]) -> Vec<String> {
    let mut found = Vec::new();
    for answer in before {
        let now = after.iter().find(|now| now.check == answer.check);
        match now {
            Some(now) if now == answer => {}
            Some(now) => found.push(format!("{}: {answer} before, {now} after", answer.check)),
            None => found.push(format!(
                "{}: {answer} before, not asked after",
                answer.check
            )),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface() -> (TypeEnv, Option<Type>) {
        let text =
            "service : { balance : (text, nat8) -> (nat64) query; size : () -> (nat) query }";
        CandidSource::Text(text).load().unwrap()
    }

    #[test]
    fn arguments_get_the_types_of_the_interface() {
        let interface = interface();
        let check = understand("balance=(\"a\", 5)", Some(&interface)).unwrap();
        assert_eq!(check.arg, candid::encode_args(("a", 5_u8)).unwrap());
        let check = understand("size", Some(&interface)).unwrap();
        assert_eq!(check.arg, candid::encode_args(()).unwrap());
        let check = understand("size=(5 : nat8)", None).unwrap();
        assert_eq!(check.arg, candid::encode_args((5_u8,)).unwrap());
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let interface = interface();
        for text in ["=()", "nothing", "size=(", "balance=(1, 2)", "balance"] {
            let refused = understand(text, Some(&interface)).unwrap_err();
            assert!(refused.to_string().contains(text), "{refused}");
        }
    }

    #[test]
    fn a_changed_answer_is_a_difference() {
        let answer = |reply: u64| Answer {
            check: "size".into(),
            method: "size".into(),
            arg: String::new(),
            reply: Some(hex::encode(candid::encode_args((reply,)).unwrap())),
            rejection: None,
        };
        assert!(differences(&[answer(1)], &[answer(1)]).is_empty());
        assert_eq!(
            differences(&[answer(1)], &[answer(2)]),
            ["size: (1 : nat64) before, (2 : nat64) after"]
        );
        assert_eq!(differences(&[answer(1)], &[]).len(), 1);
    }
}
