//! Which request is broken, and how.

use super::{Fault, Plan, PlanError, RuleState, Subject};
use sha2::{Digest, Sha256};
use std::sync::{Mutex, PoisonError};

/// The faults of one instance.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    seed: u64,
    rules: Vec<RuleState>,
}

/// A fault that is due, and the random number that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// What happens.
    pub fault: Fault,
    /// Decides where (which bit, which byte).
    pub random: u64,
}

impl Faults {
    /// Replaces the plan; all counts start again.
    ///
    /// # Errors
    /// [`PlanError`]; the plan before stays.
    pub fn set(&self, plan: Plan) -> Result<(), PlanError> {
        plan.check()?;
        let rules = plan
            .rules
            .into_iter()
            .map(|rule| RuleState {
                rule,
                matched: 0,
                broken: 0,
            })
            .collect();
        *self.lock() = State {
            seed: plan.seed,
            rules,
        };
        Ok(())
    }

    /// Forgets the plan: nothing is broken any more.
    pub fn clear(&self) {
        *self.lock() = State::default();
    }

    /// The rules and their counts.
    pub fn report(&self) -> Vec<RuleState> {
        self.lock().rules.clone()
    }

    /// What happens to a request; `None` for nothing.
    ///
    /// All rules that match count the request, up to and including the one that breaks it.
    pub fn draw(&self, subject: &Subject<'_>) -> Option<Draw> {
        let mut state = self.lock();
        let seed = state.seed;
        for (place, entry) in state.rules.iter_mut().enumerate() {
            if !entry.rule.matches(subject) {
                continue;
            }
            let turn = entry.matched;
            entry.matched += 1;
            let is_due = turn >= entry.rule.skip
                && entry.rule.count.is_none_or(|count| entry.broken < count);
            if is_due
                && entry
                    .rule
                    .probability
                    .is_none_or(|p| chance(seed, place, turn) < p)
            {
                entry.broken += 1;
                return Some(Draw {
                    fault: entry.rule.fault,
                    random: number(seed, place, turn, "where"),
                });
            }
        }
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number that depends on its arguments and on nothing else.
fn number(seed: u64, place: usize, turn: u64, purpose: &str) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(purpose.as_bytes());
    for part in [seed, place as u64, turn] {
        hasher.update(part.to_be_bytes());
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// A number from 0 to 1, 1 excluded.
fn chance(seed: u64, place: usize, turn: u64) -> f64 {
    const BITS: u32 = 53;
    (number(seed, place, turn, "whether") >> (64 - BITS)) as f64 / (1u64 << BITS) as f64
}

#[cfg(test)]
mod tests {
    use super::super::{Endpoint, Rule};
    use super::*;
    use candid::Principal;

    fn rule(fault: Fault) -> Rule {
        Rule {
            on: Endpoint::Any,
            method: None,
            canister: None,
            skip: 0,
            count: None,
            probability: None,
            fault,
        }
    }

    fn faults(seed: u64, rules: Vec<Rule>) -> Faults {
        let faults = Faults::default();
        faults
            .set(Plan {
                seed,
                rules,
                ..Plan::default()
            })
            .unwrap();
        faults
    }

    fn query(method: &str) -> Subject<'_> {
        Subject {
            endpoint: Endpoint::Query,
            canister: Some(Principal::anonymous()),
            method: Some(method),
        }
    }

    #[test]
    fn a_rule_lets_some_through_breaks_some_and_is_spent() {
        let faults = faults(
            0,
            vec![Rule {
                skip: 2,
                count: Some(3),
                ..rule(Fault::Cut)
            }],
        );
        let broken: Vec<bool> = (0..7)
            .map(|_| faults.draw(&query("read")).is_some())
            .collect();
        assert_eq!(broken, [false, false, true, true, true, false, false]);
        let report = faults.report();
        assert_eq!((report[0].matched, report[0].broken), (7, 3));
    }

    #[test]
    fn a_rule_breaks_only_what_it_names() {
        let other = Principal::management_canister();
        for (changed, breaks) in [
            (
                Rule {
                    on: Endpoint::Query,
                    ..rule(Fault::Cut)
                },
                true,
            ),
            (
                Rule {
                    on: Endpoint::Call,
                    ..rule(Fault::Cut)
                },
                false,
            ),
            (
                Rule {
                    method: Some("read".into()),
                    ..rule(Fault::Cut)
                },
                true,
            ),
            (
                Rule {
                    method: Some("write".into()),
                    ..rule(Fault::Cut)
                },
                false,
            ),
            (
                Rule {
                    canister: Some(other),
                    ..rule(Fault::Cut)
                },
                false,
            ),
        ] {
            let faults = faults(0, vec![changed]);
            assert_eq!(faults.draw(&query("read")).is_some(), breaks);
        }
    }

    #[test]
    fn the_same_seed_breaks_the_same_requests() {
        let pattern = |seed| -> Vec<Option<Draw>> {
            let chancy = Rule {
                probability: Some(0.5),
                ..rule(Fault::Corrupt)
            };
            let faults = faults(seed, vec![chancy]);
            (0..64).map(|_| faults.draw(&query("read"))).collect()
        };
        assert_eq!(pattern(1), pattern(1));
        assert_ne!(pattern(1), pattern(2));
        let broken = pattern(1).iter().flatten().count();
        assert!(
            (16..=48).contains(&broken),
            "{broken} of 64 at a chance of one half"
        );
    }

    #[test]
    fn the_first_due_rule_decides_and_clearing_ends_it() {
        let spent = Rule {
            count: Some(1),
            ..rule(Fault::Cut)
        };
        let faults = faults(0, vec![spent, rule(Fault::Corrupt)]);
        let kinds = [(); 2].map(|()| faults.draw(&query("read")).unwrap().fault);
        assert_eq!(kinds, [Fault::Cut, Fault::Corrupt]);
        faults.clear();
        assert_eq!(faults.draw(&query("read")), None);
    }

    #[test]
    fn a_plan_that_makes_no_sense_is_refused_and_the_old_one_stays() {
        let faults = faults(0, vec![rule(Fault::Cut)]);
        for bad in [
            Rule {
                probability: Some(1.5),
                ..rule(Fault::Cut)
            },
            rule(Fault::Lie),
            rule(Fault::Status { code: 200 }),
            rule(Fault::Delay { ms: u64::MAX }),
        ] {
            let plan = Plan {
                rules: vec![bad],
                ..Plan::default()
            };
            assert!(faults.set(plan).is_err());
        }
        assert_eq!(faults.draw(&query("read")).unwrap().fault, Fault::Cut);
    }

    #[test]
    fn a_plan_is_json() {
        let json = r#"{"seed":7,"rules":[{"on":"query","method":"stable_read","skip":3,"count":1,
            "fault":{"kind":"corrupt"}},{"canister":"aaaaa-aa","fault":{"kind":"delay","ms":20}}]}"#;
        let plan: Plan = serde_json::from_str(json).unwrap();
        assert_eq!(plan.rules[0].skip, 3);
        assert_eq!(
            plan.rules[1].canister,
            Some(Principal::management_canister())
        );
        assert_eq!(plan.rules[1].fault, Fault::Delay { ms: 20 });
        assert!(serde_json::from_str::<Plan>(r#"{"rules":[],"sead":1}"#).is_err());
    }
}
