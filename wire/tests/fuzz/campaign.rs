//! How long a campaign is and where it starts.
//!
//! `PAIR_FUZZ_CASES` sets the number of cases of each property, in place of the few that the suite
//! can afford; `PAIR_FUZZ_SEED` repeats a campaign. What a test prints is shown when it fails.

use crate::dice::Dice;
use std::hash::{BuildHasher, RandomState};

/// Cases of one property.
pub struct Campaign {
    /// How many.
    pub cases: u64,
    /// Where its choices come from.
    pub dice: Dice,
}

impl Campaign {
    /// The campaign that the environment asks for; without that, of `cases` from a new seed.
    pub fn begin(cases: u64) -> Self {
        let cases = from_environment("PAIR_FUZZ_CASES").unwrap_or(cases);
        let fresh = || RandomState::new().hash_one("a seed");
        let seed = from_environment("PAIR_FUZZ_SEED").unwrap_or_else(fresh);
        println!("repeat with PAIR_FUZZ_SEED={seed} PAIR_FUZZ_CASES={cases}");
        Self {
            cases,
            dice: Dice::new(seed),
        }
    }
}

fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(error) => panic!("{name}={text}: {error}"),
    }
}
