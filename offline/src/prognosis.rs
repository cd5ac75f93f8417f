//! What it would take for a hook to end that fails: found by running it, over and over, each time with one
//! more rule relaxed that stood in its way.
//!
//! ```text
//! given rules ─► run ─┬─► it ends: a way, judged by the caller
//!                     └─► trouble ─┬─► something lifts it: one more rule or answer ─► run …
//!                                  └─► nothing does: a dead end
//! ```
//!
//! A prognosis decides nothing: which rule to relax is for the user to say, because only the user can know
//! whether what the hook then leaves is what it should have left. Nothing is written.

use crate::error::OfflineError;
use crate::patient::Patient;
use crate::rules::Rules;
use crate::run::{Order, Ran, run};
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;
use engine::{Engine, Entry, Limits, Progress, Stable32};
use std::collections::VecDeque;

/// Most runs of one prognosis. A hook needs one per kind of trouble; three choices are tried for 32 bits.
const TRIALS_MAX: usize = 10;
/// What an answered function returns in a trial: success, for functions that make a call.
const TRIAL_ANSWER: i64 = 0;
/// The word for all functions that make a call.
const CALLS: &str = "call";

/// What is asked.
#[derive(Debug)]
pub struct Question {
    /// What the code sees of the world.
    pub surroundings: Surroundings,
    /// The rules to begin with.
    pub rules: Rules,
    /// Why it fails with them; none if that has not been tried.
    pub trouble: Option<Trouble>,
}

/// Rules under which the hook ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The options that name them, beside those that were given: `--answer call=0`. Empty: the given ones
    /// are enough.
    pub options: Vec<String>,
    /// What would not have been possible on chain, in words. Empty: nothing.
    pub not_as_on_chain: Vec<String>,
    /// What the caller says of what the hook left.
    pub judged: Option<String>,
}

/// Where the hook fails, and nothing lifts that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadEnd {
    /// The options that had been added by then.
    pub options: Vec<String>,
    /// Why.
    pub trouble: Trouble,
}

/// What was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prognosis {
    /// What stands in its way under the given rules; none if nothing does.
    pub trouble: Option<Trouble>,
    /// Rules under which it ends.
    pub ways: Vec<Way>,
    /// What cannot be lifted.
    pub dead_ends: Vec<DeadEnd>,
}

/// Says what it thinks of what a hook left.
pub type Judge<'a> = &'a mut dyn FnMut(&Ran) -> Result<Option<String>, OfflineError>;
/// Told which options are tried; makes a progress callback.
pub type Trying<'a> = &'a mut dyn FnMut(&[String]) -> Option<Progress>;

/// Finds out what it takes for `pre_upgrade` of `patient` to end.
///
/// # Errors
/// When there is no such hook, or `judge` fails; a hook that fails is no error.
pub fn prognosis(
    engine: &Engine,
    patient: &Patient,
    question: &Question,
    trying: Trying<'_>,
    judge: Judge<'_>,
) -> Result<Prognosis, OfflineError> {
    let mut found = Prognosis::default();
    let mut queue = VecDeque::new();
    match &question.trouble {
        Some(trouble) => found.meet(&mut queue, &question.rules, &question.rules, trouble),
        None => queue.push_back(question.rules.clone()),
    }
    for _ in 0..TRIALS_MAX {
        let Some(rules) = queue.pop_front() else {
            break;
        };
        let options = added(&question.rules, &rules);
        let order = Order {
            entry: Entry::PreUpgrade,
            surroundings: question.surroundings.clone(),
            rules: rules.clone(),
            trace: None,
        };
        match run(engine, patient, order, trying(&options)) {
            Ok(ran) => found.ways.push(Way {
                not_as_on_chain: not_as_on_chain(&ran),
                judged: judge(&ran)?,
                options,
            }),
            Err(OfflineError::Failed { trouble, .. }) => {
                found.meet(&mut queue, &question.rules, &rules, &trouble);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

impl Prognosis {
    /// Takes note of trouble: rules that lift it are to be tried.
    fn meet(
        &mut self,
        queue: &mut VecDeque<Rules>,
        given: &Rules,
        rules: &Rules,
        trouble: &Trouble,
    ) {
        if self.trouble.is_none() {
            self.trouble = Some(trouble.clone());
        }
        let lifted = lifted(rules, trouble);
        if lifted.is_empty() {
            self.dead_ends.push(DeadEnd {
                options: added(given, rules),
                trouble: trouble.clone(),
            });
        }
        queue.extend(lifted);
    }
}

/// `rules` with one more relaxed, in each way that lifts the trouble.
fn lifted(rules: &Rules, trouble: &Trouble) -> Vec<Rules> {
    match trouble {
        Trouble::Narrow if rules.stable_32_bit == Stable32::Traps => {
            [Stable32::Low, Stable32::Fresh, Stable32::Separate]
                .map(|stable_32_bit| Rules {
                    stable_32_bit,
                    ..rules.clone()
                })
                .to_vec()
        }
        Trouble::StableEnd if !rules.stable_grows => vec![Rules {
            stable_grows: true,
            ..rules.clone()
        }],
        Trouble::Forbidden { function } => {
            let word = match function.starts_with(crate::rules::CALL_PREFIX) {
                true => CALLS,
                false => function,
            };
            if rules.answers.contains_key(word) {
                return Vec::new();
            }
            let mut rules = rules.clone();
            rules.answers.insert(word.to_string(), TRIAL_ANSWER);
            vec![rules]
        }
        _ => Vec::new(),
    }
}

/// The options that make `given` into `rules`.
fn added(given: &Rules, rules: &Rules) -> Vec<String> {
    let mut options = Vec::new();
    if rules.stable_grows != given.stable_grows {
        options.push("--rule stable=grows".to_string());
    }
    if rules.stable_32_bit != given.stable_32_bit {
        let word = crate::rules::stable_32_word(rules.stable_32_bit);
        options.push(format!("--rule stable32={word}"));
    }
    let answers = rules.answers.iter();
    let new = answers.filter(|(function, _)| !given.answers.contains_key(*function));
    options.extend(new.map(|(function, value)| format!("--answer {function}={value}")));
    options
}

fn not_as_on_chain(ran: &Ran) -> Vec<String> {
    let used = ran.provenance.rules_used.iter();
    let mut words: Vec<String> = used
        .map(|(rule, count)| format!("{rule} ({count})"))
        .collect();
    if ran.provenance.instructions > Limits::INSTALL_INSTRUCTIONS {
        words.push(format!(
            "{} instructions, where an upgrade may use {}",
            ran.provenance.instructions,
            Limits::INSTALL_INSTRUCTIONS
        ));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_named_as_on_the_command_line() {
        let given = Rules {
            stable_grows: false,
            ..Rules::default()
        };
        let calls = Trouble::Forbidden {
            function: "call_new".to_string(),
        };
        let [once] = &lifted(&given, &calls)[..] else {
            panic!("one answer lifts it");
        };
        let [twice] = &lifted(once, &Trouble::StableEnd)[..] else {
            panic!("growing lifts it");
        };
        assert_eq!(
            added(&given, twice),
            ["--rule stable=grows", "--answer call=0"]
        );
        let choices = lifted(twice, &Trouble::Narrow);
        let last = |rules: &Rules| added(twice, rules).concat();
        assert_eq!(
            choices.iter().map(last).collect::<Vec<_>>(),
            ["low", "fresh", "separate"].map(|word| format!("--rule stable32={word}"))
        );
    }

    #[test]
    fn what_was_answered_already_is_a_dead_end() {
        let data = Trouble::Forbidden {
            function: "certified_data_set".to_string(),
        };
        let once = lifted(&Rules::default(), &data).remove(0);
        assert_eq!(
            added(&Rules::default(), &once),
            ["--answer certified_data_set=0"]
        );
        assert!(lifted(&once, &data).is_empty());
        for dead in [
            Trouble::HeapFull { heap_bytes: 1 },
            Trouble::GivesUp {
                message: String::new(),
            },
            Trouble::Instructions { limit: 1 },
        ] {
            assert!(lifted(&Rules::default(), &dead).is_empty(), "{dead:?}");
        }
    }
}
