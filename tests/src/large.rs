//! A large, sparse canister through backup, verification, a second backup and restore, with figures.
//!
//! The patient fills its memory itself, by update calls: nothing here ever holds an image as a whole.

use crate::World;
use crate::cli::Cli;
use crate::rescue::Rescue;
use crate::watch::{Watched, watch};
use candid::Principal;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use wire::limits::{CHUNK_LEN_BYTES, PAGE_LEN_BYTES};

/// Data lies in runs of so many chunks, spread evenly over the memory.
const RUN_CHUNKS: u64 = 16;
/// Between two backups one chunk in so many gets other data.
const CHANGED_ONE_IN: u64 = 100;
/// Cycles the patient gets: its snapshots are as large as itself.
const CYCLES: u128 = 10_000_000_000_000_000;

/// How large a patient is.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Size of its stable memory, in bytes.
    pub size_bytes: u64,
    /// Data in it, in bytes.
    pub data_bytes: u64,
}

/// What one command took.
#[derive(Clone, Debug)]
pub struct Step {
    /// The command.
    pub name: &'static str,
    /// How long it ran.
    pub time: Duration,
    /// The most memory it had resident, in bytes.
    pub peak_bytes: u64,
}

/// What the whole trip took.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The patient.
    pub scale: Scale,
    /// The commands, in order.
    pub steps: Vec<Step>,
    /// Bytes on disk that the backup takes, everything included.
    pub disk_bytes: u64,
    /// Chunks that the second backup fetched.
    pub chunks_fetched_again: u64,
    /// Chunks that had changed before it.
    pub chunks_changed: u64,
}

impl Figures {
    /// The most memory that any command had resident, in bytes.
    pub fn peak_bytes(&self) -> u64 {
        let peaks = self.steps.iter().map(|step| step.peak_bytes);
        peaks.max().unwrap_or(0)
    }
}

/// Takes a patient of that size through everything. What is wrong panics.
pub fn run(scale: Scale, tell: impl Fn(&str)) -> Figures {
    let world = World::new();
    let patient = Patient::install(&world, scale);
    tell("the patient is filled");
    let rescue = Rescue::install(&world);
    rescue.take_control_of(&world, patient.canister);
    let directory = world.folder.path().join("backup");
    let trip = Trip {
        world: &world,
        canister: patient.canister.to_text(),
        rescue: rescue.canister.to_text(),
        directory: directory.clone(),
    };
    let mut steps = Vec::new();
    let mut step = |name, verb: &str, more: &[&str]| {
        let watched = trip.run(verb, more);
        steps.push(Step {
            name,
            time: watched.time,
            peak_bytes: watched.peak_bytes,
        });
        tell(&format!("{name}: {:?}", watched.time));
        watched
    };

    step("backup", "backup", &[]);
    let disk_bytes = disk_bytes(&directory);
    step("verify", "verify", &[]);
    let fixed = world.folder.path().join("fixed.wasm");
    fs::write(&fixed, module(false)).unwrap();
    step(
        "install the fixed module",
        "install",
        &["--module", &fixed.display().to_string()],
    );
    step("close", "close", &["--delete-snapshot"]);
    let chunks_changed = patient.change(&world);
    let again = step("second backup", "backup", &[]);
    let chunks_fetched_again = fetched(&again);
    step("restore", "restore", &["--wipe"]);
    Figures {
        scale,
        steps,
        disk_bytes,
        chunks_fetched_again,
        chunks_changed,
    }
}

struct Trip<'a> {
    world: &'a World,
    canister: String,
    rescue: String,
    directory: PathBuf,
}

impl Trip<'_> {
    fn run(&self, verb: &str, more: &[&str]) -> Watched {
        let directory = self.directory.display().to_string();
        let place: Vec<&str> = match verb {
            "backup" => vec![&self.canister, "--output", &directory],
            "verify" => vec![&directory],
            "restore" => vec![&directory, &self.canister],
            _ => vec![&self.canister],
        };
        let mut words = vec![verb];
        words.extend(place);
        words.extend(more);
        words.push("--json");
        if verb != "verify" {
            words.extend(["--rescue", &self.rescue]);
        }
        let args: Vec<&dyn AsRef<std::ffi::OsStr>> = words
            .iter()
            .map(|word| word as &dyn AsRef<std::ffi::OsStr>)
            .collect();
        watch(Cli::new(self.world, &args).command().stderr(Stdio::null()))
    }
}

/// Chunks of both memories that a backup said it fetched.
fn fetched(backup: &Watched) -> u64 {
    backup
        .lines
        .iter()
        .filter_map(|(_, line)| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|event| event["type"] == "fetched" && event["memory"] == "stable")
        .filter_map(|event| event["chunks"].as_u64())
        .sum()
}

/// What a folder takes on disk: blocks, not lengths, so that holes do not count.
fn disk_bytes(folder: &Path) -> u64 {
    const BLOCK_BYTES: u64 = 512;
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.metadata().unwrap() {
            data if data.is_dir() => disk_bytes(&entry.path()),
            data => data.blocks() * BLOCK_BYTES,
        })
        .sum()
}

/// A patient that fills its own memory.
struct Patient {
    canister: Principal,
    scale: Scale,
}

impl Patient {
    fn install(world: &World, scale: Scale) -> Patient {
        let canister = world.install(module(true), Vec::new());
        world.pic.add_cycles(canister, CYCLES);
        let patient = Patient { canister, scale };
        let pages = scale.size_bytes / PAGE_LEN_BYTES;
        patient.call(world, "grow", &[pages]);
        for run in 0..patient.runs() {
            patient.fill(world, patient.start_of(run), RUN_CHUNKS, run + 1);
        }
        patient
    }

    fn runs(&self) -> u64 {
        self.scale.data_bytes / (RUN_CHUNKS * CHUNK_LEN_BYTES)
    }

    /// First chunk of a run.
    fn start_of(&self, run: u64) -> u64 {
        let chunks = self.scale.size_bytes / CHUNK_LEN_BYTES;
        run * (chunks / self.runs())
    }

    /// Gives one chunk in a hundred other data; returns how many.
    fn change(&self, world: &World) -> u64 {
        let mut changed = 0;
        for number in (0..self.runs() * RUN_CHUNKS).step_by(CHANGED_ONE_IN as usize) {
            let chunk = self.start_of(number / RUN_CHUNKS) + number % RUN_CHUNKS;
            self.fill(world, chunk, 1, !number);
            changed += 1;
        }
        changed
    }

    fn fill(&self, world: &World, chunk: u64, chunks: u64, seed: u64) {
        let pages = chunks * CHUNK_LEN_BYTES / PAGE_LEN_BYTES;
        self.call(world, "fill", &[chunk * CHUNK_LEN_BYTES, pages, seed]);
    }

    fn call(&self, world: &World, method: &str, numbers: &[u64]) {
        let arg = numbers.iter().flat_map(|number| number.to_le_bytes());
        let sender = world.operator.principal;
        let call = world
            .pic
            .submit_call(self.canister, sender, method, arg.collect())
            .unwrap();
        world.pic.await_call_no_ticks(call).unwrap();
    }
}

/// The patient's module: `grow` takes pages, `fill` takes an offset, pages and a seed other than zero, all
/// little-endian. With `broken`, its hook traps.
fn module(broken: bool) -> Vec<u8> {
    let hook = if broken {
        r#"(func (export "canister_pre_upgrade") unreachable)"#
    } else {
        ""
    };
    wat::parse_str(format!(
        r#"(module
            (import "ic0" "msg_arg_data_copy" (func $arg (param i32 i32 i32)))
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "stable64_grow" (func $grow (param i64) (result i64)))
            (import "ic0" "stable64_write" (func $write (param i64 i64 i64)))
            (memory 2)
            {hook}
            (func (export "canister_update grow")
                (call $arg (i32.const 0) (i32.const 0) (i32.const 8))
                (if (i64.eq (call $grow (i64.load (i32.const 0))) (i64.const -1)) (then unreachable))
                (call $reply))
            (func (export "canister_update fill")
                (local $offset i64) (local $pages i64) (local $word i64) (local $at i32)
                (call $arg (i32.const 0) (i32.const 0) (i32.const 24))
                (local.set $offset (i64.load (i32.const 0)))
                (local.set $pages (i64.load (i32.const 8)))
                (local.set $word (i64.load (i32.const 16)))
                (loop $page
                    (local.set $at (i32.const {PAGE_LEN_BYTES}))
                    (loop $next
                        (local.set $word (i64.xor (local.get $word) (i64.shl (local.get $word) (i64.const 13))))
                        (local.set $word (i64.xor (local.get $word) (i64.shr_u (local.get $word) (i64.const 7))))
                        (local.set $word (i64.xor (local.get $word) (i64.shl (local.get $word) (i64.const 17))))
                        (i64.store (local.get $at) (local.get $word))
                        (local.set $at (i32.add (local.get $at) (i32.const 8)))
                        (br_if $next (i32.lt_u (local.get $at) (i32.const {end}))))
                    (call $write (local.get $offset) (i64.const {PAGE_LEN_BYTES}) (i64.const {PAGE_LEN_BYTES}))
                    (local.set $offset (i64.add (local.get $offset) (i64.const {PAGE_LEN_BYTES})))
                    (local.set $pages (i64.sub (local.get $pages) (i64.const 1)))
                    (br_if $page (i64.ne (local.get $pages) (i64.const 0))))
                (call $reply)))"#,
        end = 2 * PAGE_LEN_BYTES,
    ))
    .unwrap()
}

/// A canister that holds `mib` MiB of noise, in the care of a new rescue canister.
pub fn noise(world: &World, mib: u64) -> (Principal, Rescue) {
    let scale = Scale {
        size_bytes: mib << 20,
        data_bytes: mib << 20,
    };
    let patient = Patient::install(world, scale);
    let rescue = Rescue::install(world);
    rescue.take_control_of(world, patient.canister);
    (patient.canister, rescue)
}
