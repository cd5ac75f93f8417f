//! The way of a healing, step by step, as it is shown before it is gone: what is done already, what is to do.

use super::{Goal, Progress};
use crate::output::Output;

/// What was asked for on the command line.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Whether it is looked at beforehand.
    pub look: bool,
    /// How many checks there are.
    pub checks: usize,
    /// Whether the snapshot is deleted in the end.
    pub delete_snapshot: bool,
}

/// Tells the steps, and the way back.
pub fn show(goal: &Goal, found: &Progress, asked: &Asked, output: &Output) {
    for (number, (done, text)) in (1..).zip(steps(goal, found, asked)) {
        let mark = if done { "done" } else { "to do" };
        output.step(format!("{number}. [{mark}] {text}"));
    }
    output.step(format!(
        "way back until the case is closed: ic-rescue rollback {}",
        goal.canister
    ));
}

fn steps(goal: &Goal, found: &Progress, asked: &Asked) -> [(bool, String); 8] {
    let (before, after) = (goal.before.display(), goal.after.display());
    let begun = found.case.is_some() || found.installed;
    let look = match asked.look {
        false => "look beforehand: left out, as asked".to_string(),
        true => format!(
            "look whether it can work: download a snapshot of the running canister to {before}, delete it, run \
             pre_upgrade off chain with {}, rehearse the fixed module; end here if that fails",
            goal.rules.words().join(", ")
        ),
    };
    let close = match asked.delete_snapshot {
        true => "close the case, delete the snapshot: no way back from there",
        false => "close the case; the snapshot stays until it is deleted",
    };
    [
        (begun, look),
        (
            found.before.is_some(),
            format!(
                "stop the canister, take a snapshot, swap the downloader in (heap kept), back both memories up to \
                 {before}"
            ),
        ),
        (
            found.after.is_some(),
            format!(
                "run its pre_upgrade off chain, unless the look holds for the backup; the result goes to {after}"
            ),
        ),
        (
            found.installed,
            "rehearse the fixed module over the result, under the rules of the chain; stop here if it fails or a \
             check differs"
                .to_string(),
        ),
        (
            found.installed,
            "swap the uploader in, write the new stable memory, have it hashed on chain and compared".to_string(),
        ),
        (
            found.installed,
            format!(
                "install module {} (pre_upgrade skipped), start",
                hex::encode(goal.fixed_hash)
            ),
        ),
        (
            false,
            format!("compare {} checks with their answers before", asked.checks),
        ),
        (found.installed && found.case.is_none(), close.to_string()),
    ]
}
