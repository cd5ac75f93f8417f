//! What happens to a canister in its life, and how lives are drawn.

use proptest::collection::vec;
use proptest::prelude::*;

/// Steps of the longest life.
const STEPS_MAX: usize = 12;

/// Snapshots that steps name: those there are, and one that is not.
const SNAPSHOTS_NAMED: usize = 3;

/// A row of steps, in the life of a canister that begins empty and running.
#[derive(Clone, Debug)]
pub struct Life {
    /// The steps.
    pub steps: Vec<Step>,
}

/// What happens to a canister.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `install_code`
    Install(Install),
    /// An update that writes this byte to heap and stable memory and certifies it.
    Write(u8),
    /// The same, and then it traps.
    WriteAndTrap(u8),
    /// An update that makes the heap a page longer.
    Grow,
    /// An update after which `canister_pre_upgrade` traps.
    Arm,
    /// A query method, called through consensus, that scribbles over heap, stable memory and a global.
    Scribble,
    /// The same method as a plain query.
    ScribbleInQuery,
    /// `stop_canister`
    Stop,
    /// `start_canister`
    Start,
    /// `uninstall_code`
    Uninstall,
    /// `take_canister_snapshot`
    Take,
    /// `load_canister_snapshot` of the n-th snapshot there is.
    Load(usize),
    /// `delete_canister_snapshot` of the n-th snapshot there is.
    Delete(usize),
}

/// An installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// How.
    pub mode: Mode,
    /// Which of the modules: 1 declares one page of heap, 2 declares two.
    pub code: u8,
    /// Whether the module carries the marker.
    pub is_marked: bool,
    /// Whether `canister_init` and `canister_post_upgrade` trap.
    pub traps: bool,
}

/// Mode of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `install`
    Install,
    /// `reinstall`
    Reinstall,
    /// `upgrade`
    Upgrade {
        /// `skip_pre_upgrade`
        skip: bool,
        /// `wasm_memory_persistence`: keep, replace, or nothing said.
        keep: Option<bool>,
    },
}

fn mode() -> impl Strategy<Value = Mode> {
    let upgrade = (any::<bool>(), any::<Option<bool>>())
        .prop_map(|(skip, keep)| Mode::Upgrade { skip, keep });
    prop_oneof![1 => Just(Mode::Install), 1 => Just(Mode::Reinstall), 4 => upgrade]
}

fn install() -> impl Strategy<Value = Install> {
    (mode(), 1..=2u8, any::<bool>(), prop::bool::weighted(0.2)).prop_map(
        |(mode, code, is_marked, traps)| Install {
            mode,
            code,
            is_marked,
            traps,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        7 => install().prop_map(Step::Install),
        3 => any::<u8>().prop_map(Step::Write),
        1 => any::<u8>().prop_map(Step::WriteAndTrap),
        1 => Just(Step::Grow),
        1 => Just(Step::Arm),
        1 => Just(Step::Scribble),
        1 => Just(Step::ScribbleInQuery),
        1 => Just(Step::Stop),
        1 => Just(Step::Start),
        1 => Just(Step::Uninstall),
        2 => Just(Step::Take),
        2 => (0..SNAPSHOTS_NAMED).prop_map(Step::Load),
        1 => (0..SNAPSHOTS_NAMED).prop_map(Step::Delete),
    ]
}

/// Draws lives. Most begin with code, or little would happen in them.
pub fn life() -> impl Strategy<Value = Life> {
    let birth = any::<bool>().prop_map(|is_marked| {
        Step::Install(Install {
            mode: Mode::Install,
            code: 1,
            is_marked,
            traps: false,
        })
    });
    let beginning = prop_oneof![7 => birth.prop_map(Some), 1 => Just(None)];
    (beginning, vec(step(), 0..STEPS_MAX)).prop_map(|(birth, steps)| Life {
        steps: birth.into_iter().chain(steps).collect(),
    })
}
