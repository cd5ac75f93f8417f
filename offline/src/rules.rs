//! Which rules of the Internet Computer do not hold in a run, in the words of the command line.
//!
//! | rule | values | in a run by default |
//! |---|---|---|
//! | `instructions` | `unlimited`, or a number | `unlimited` |
//! | `stable` | `grows`: access beyond the end grows stable memory; `fixed`: it traps | `grows` |
//! | `stable32` | `traps`, `low`, `fresh`, `separate`: see [`engine::Stable32`] | `traps` |
//!
//! An answer is `FUNCTION=VALUE`: a system function, without `ic0.`, that is forbidden where it is
//! called does nothing and returns the value. `call=VALUE` stands for all functions that make a
//! call.

use crate::error::OfflineError;
use engine::{Limits, Stable32};
use std::collections::BTreeMap;
use wasmparser::{Parser, Payload, TypeRef};

/// Functions that `call` stands for.
pub(crate) const CALL_PREFIX: &str = "call_";
const RULES: &str = "instructions=unlimited|NUMBER, stable=grows|fixed, or \
                     stable32=traps|low|fresh|separate";
const ANSWERS: &str = "FUNCTION=VALUE, for example call=0 or certified_data_set=0";

/// Relaxed rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Instructions the code may use; none for no limit.
    pub instructions: Option<u64>,
    /// Whether access beyond the end of stable memory grows it.
    pub stable_grows: bool,
    /// What 32-bit stable functions reach beyond 4 GiB.
    pub stable_32_bit: Stable32,
    /// Answers to forbidden calls.
    pub answers: BTreeMap<String, i64>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            instructions: None,
            stable_grows: true,
            stable_32_bit: Stable32::Traps,
            answers: BTreeMap::new(),
        }
    }
}

impl Rules {
    /// The rules that `--rule` and `--answer` options name.
    ///
    /// # Errors
    /// [`OfflineError::BadRule`] names what is not understood.
    pub fn parse(rules: &[String], answers: &[String]) -> Result<Self, OfflineError> {
        let mut parsed = Self::default();
        for text in rules {
            parsed.set(text)?;
        }
        for text in answers {
            let bad = || OfflineError::BadRule {
                text: text.clone(),
                expected: ANSWERS,
            };
            let (function, value) = text.split_once('=').ok_or_else(bad)?;
            let function = function.strip_prefix("ic0.").unwrap_or(function);
            let value = value.parse().map_err(|_| bad())?;
            parsed.answers.insert(function.to_string(), value);
        }
        Ok(parsed)
    }

    fn set(&mut self, text: &str) -> Result<(), OfflineError> {
        let bad = || OfflineError::BadRule {
            text: text.to_string(),
            expected: RULES,
        };
        match text.split_once('=').ok_or_else(bad)? {
            ("instructions", "unlimited") => self.instructions = None,
            ("instructions", number) => {
                let number = number.replace('_', "");
                self.instructions = Some(number.parse().map_err(|_| bad())?);
            }
            ("stable", "grows") => self.stable_grows = true,
            ("stable", "fixed") => self.stable_grows = false,
            ("stable32", "traps") => self.stable_32_bit = Stable32::Traps,
            ("stable32", "low") => self.stable_32_bit = Stable32::Low,
            ("stable32", "fresh") => self.stable_32_bit = Stable32::Fresh,
            ("stable32", "separate") => self.stable_32_bit = Stable32::Separate,
            _ => return Err(bad()),
        }
        Ok(())
    }

    /// The rules in the words of the command line, for the record.
    pub fn words(&self) -> Vec<String> {
        let instructions = match self.instructions {
            None => "instructions=unlimited".to_string(),
            Some(number) => format!("instructions={number}"),
        };
        let stable = if self.stable_grows { "grows" } else { "fixed" };
        let mut words = vec![
            instructions,
            format!("stable={stable}"),
            format!("stable32={}", stable_32_word(self.stable_32_bit)),
        ];
        let answers = self.answers.iter();
        words.extend(answers.map(|(function, value)| format!("answer {function}={value}")));
        words
    }

    /// The engine's limits under these rules.
    pub fn limits(&self) -> Limits {
        Limits {
            instructions: self.instructions,
            reported_instructions: self.instructions.unwrap_or(u64::MAX),
            stable_grows_on_demand: self.stable_grows,
            ..Limits::unbounded()
        }
    }

    /// The answers function by function, for a module.
    ///
    /// # Errors
    /// [`OfflineError::NotImported`] when the module does not use a function that is answered.
    pub fn answers_for(&self, wasm: &[u8]) -> Result<BTreeMap<String, i64>, OfflineError> {
        let imported = system_functions(wasm);
        let mut answers = BTreeMap::new();
        for (function, value) in &self.answers {
            let is_meant = |name: &&String| match function.as_str() {
                "call" => name.starts_with(CALL_PREFIX),
                function => *name == function,
            };
            let before = answers.len();
            answers.extend(
                imported
                    .iter()
                    .filter(is_meant)
                    .map(|name| (name.clone(), *value)),
            );
            if answers.len() == before && !imported.iter().any(|name| is_meant(&name)) {
                return Err(OfflineError::NotImported {
                    function: function.clone(),
                    imported: imported.join(", "),
                });
            }
        }
        Ok(answers)
    }
}

/// The word for a choice of `stable32`.
pub fn stable_32_word(choice: Stable32) -> &'static str {
    match choice {
        Stable32::Traps => "traps",
        Stable32::Low => "low",
        Stable32::Fresh => "fresh",
        Stable32::Separate => "separate",
    }
}

/// The system functions that a module imports.
fn system_functions(wasm: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Ok(Payload::ImportSection(section)) = payload {
            let imports = section.into_imports().flatten();
            let functions = imports
                .filter(|import| import.module == "ic0" && matches!(import.ty, TypeRef::Func(_)));
            names.extend(functions.map(|import| import.name.to_string()));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(rules: &[&str], answers: &[&str]) -> Result<Rules, OfflineError> {
        let own = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| text.to_string())
                .collect::<Vec<_>>()
        };
        Rules::parse(&own(rules), &own(answers))
    }

    #[test]
    fn rules_are_read_and_written_in_the_same_words() {
        let rules = parse(
            &["instructions=1_000", "stable=fixed", "stable32=low"],
            &["call=0", "ic0.certified_data_set=0"],
        )
        .unwrap();
        assert_eq!(
            rules.words(),
            [
                "instructions=1000",
                "stable=fixed",
                "stable32=low",
                "answer call=0",
                "answer certified_data_set=0"
            ]
        );
        assert_eq!(
            parse(&[], &[]).unwrap().words(),
            ["instructions=unlimited", "stable=grows", "stable32=traps"]
        );
    }

    #[test]
    fn what_is_no_rule_is_named() {
        for text in ["stable", "stable=never", "instructions=many", "gravity=off"] {
            let error = parse(&[text], &[]).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        assert!(parse(&[], &["call"]).is_err());
        assert!(parse(&[], &["call=yes"]).is_err());
    }

    #[test]
    fn answers_are_for_functions_that_the_module_imports() {
        let wasm = wat::parse_str(
            r#"(module (import "ic0" "call_new" (func)) (import "ic0" "call_perform" (func (result i32))))"#,
        )
        .unwrap();
        let all = parse(&[], &["call=2"]).unwrap().answers_for(&wasm).unwrap();
        let names: Vec<_> = all.keys().map(String::as_str).collect();
        assert_eq!(names, ["call_new", "call_perform"]);
        let error = parse(&[], &["msg_reply=0"]).unwrap().answers_for(&wasm);
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("call_new, call_perform")
        );
    }
}
