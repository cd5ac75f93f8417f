//! What a test asks to be broken.

use candid::Principal;
use serde::{Deserialize, Serialize};

/// Most rules of one plan: every request is held against all of them.
const MAX_RULES: usize = 100;

/// Longest delay a rule may ask for: ten minutes.
const MAX_DELAY_MS: u64 = 600_000;

/// The whole order; replaces the one before it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Decides every random choice below.
    #[serde(default)]
    pub seed: u64,
    /// Memory of each subnet as a whole, in bytes: with less than is stored, the disk is full. As ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    /// Held against each request in this order; the first that is due wins.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// Which requests are broken, when, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The kind of request.
    #[serde(default)]
    pub on: Endpoint,
    /// Only requests for this method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only requests to this canister, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canister: Option<Principal>,
    /// Matches that go through unharmed first.
    #[serde(default)]
    pub skip: u64,
    /// Matches after those that are broken, then the rule is spent; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Chance of each due match to be broken, 0 to 1; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// What happens.
    pub fault: Fault,
}

/// A kind of request to the HTTP interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// All of them.
    #[default]
    Any,
    /// Update calls.
    Call,
    /// Query calls.
    Query,
    /// Reads of certified state, polling included.
    ReadState,
    /// `/api/v2/status`.
    Status,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The connection breaks before anything is executed.
    Cut,
    /// The request is executed, then the connection breaks without a byte of reply.
    DropReply,
    /// The reply's headers and half of its body arrive, then the connection breaks.
    CutReply,
    /// The reply arrives whole, but only its first `keep_bytes`; half of it when absent.
    Truncate {
        /// Bytes kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep_bytes: Option<u64>,
    },
    /// One bit of the reply is flipped on its way: signatures break.
    Corrupt,
    /// One byte of a query's answer is changed before the node signs it: the signature holds, the answer is wrong.
    Lie,
    /// The request arrives twice; the reply is that of the second.
    Duplicate,
    /// The reply comes this much later, in milliseconds.
    Delay {
        /// The delay, in milliseconds.
        ms: u64,
    },
    /// Nothing is executed; this HTTP status comes back.
    Status {
        /// The HTTP status, 400 to 599.
        code: u16,
    },
}

/// A plan that cannot be carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// More rules than requests should be held against.
    #[error("{count} rules are too many; send at most {MAX_RULES}")]
    TooManyRules {
        /// Rules sent.
        count: usize,
    },
    /// A chance that is none.
    #[error("rule {rule}: probability {probability} is no chance; use a number from 0 to 1")]
    NoChance {
        /// Place of the rule, from 0.
        rule: usize,
        /// What it says.
        probability: f64,
    },
    /// A lie on something that is no query.
    #[error("rule {rule}: only answers to queries can be lies; set \"on\" to \"query\"")]
    LieWithoutQuery {
        /// Place of the rule, from 0.
        rule: usize,
    },
    /// A delay no test would wait for.
    #[error("rule {rule}: a delay of {ms} ms is too long; use at most {MAX_DELAY_MS}")]
    DelayTooLong {
        /// Place of the rule, from 0.
        rule: usize,
        /// What it says.
        ms: u64,
    },
    /// A status that means success, or no status at all.
    #[error("rule {rule}: {code} is no HTTP error status; use 400 to 599")]
    NoErrorStatus {
        /// Place of the rule, from 0.
        rule: usize,
        /// What it says.
        code: u16,
    },
}

impl Plan {
    /// Whether the plan can be carried out.
    ///
    /// # Errors
    /// [`PlanError`] for the first rule that cannot.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.rules.len() > MAX_RULES {
            let count = self.rules.len();
            return Err(PlanError::TooManyRules { count });
        }
        for (place, rule) in self.rules.iter().enumerate() {
            rule.check(place)?;
        }
        Ok(())
    }
}

impl Rule {
    fn check(&self, rule: usize) -> Result<(), PlanError> {
        if let Some(probability) = self.probability
            && !(0.0..=1.0).contains(&probability)
        {
            return Err(PlanError::NoChance { rule, probability });
        }
        match self.fault {
            Fault::Lie if self.on != Endpoint::Query => Err(PlanError::LieWithoutQuery { rule }),
            Fault::Delay { ms } if ms > MAX_DELAY_MS => Err(PlanError::DelayTooLong { rule, ms }),
            Fault::Status { code } if !(400..600).contains(&code) => {
                Err(PlanError::NoErrorStatus { rule, code })
            }
            _ => Ok(()),
        }
    }

    /// Whether the rule speaks about such a request.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        (self.on == Endpoint::Any || self.on == subject.endpoint)
            && (self.method.is_none() || self.method.as_deref() == subject.method)
            && (self.canister.is_none() || self.canister == subject.canister)
    }
}

/// What a rule can tell about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The kind of request.
    pub endpoint: Endpoint,
    /// The canister asked or called; for reads of state, the one in the URL.
    pub canister: Option<Principal>,
    /// The method asked or called.
    pub method: Option<&'a str>,
}

/// A rule and what became of it, as `GET /instances/N/faults` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleState {
    /// The rule.
    pub rule: Rule,
    /// Requests it matched.
    pub matched: u64,
    /// Requests it broke.
    pub broken: u64,
}
