//! `kill -9` at any point of a backup or a restore: the same command again goes on and ends verified.
//!
//! A chain is one directory (or one canister) and one command, run until it succeeds, ended by SIGKILL on the
//! way at points drawn from a seed: half of them when a certain request is on the line, before the server
//! heard of it or before the client heard the answer, the other half after a random time. After each kill,
//! what lies there is compared with what is known to be right; the next run must build upon it.
//!
//! With a binary of an earlier version at hand (`cargo xtask turns`), every other run of a chain is run by it.

use archive::verify::verify;
use archive::{Layout, Memory, Shared};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_bytes::ByteBuf;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tests::World;
use tests::cli::{Cli, binary, earlier_binary};
use tests::kills::{Point, run_until};
use tests::known::{Known, image};
use tests::rescue::Rescue;
use tests::tap::{Moment, Tap};
use wire::limits::CHUNK_LEN_BYTES;
use wire::methods::{STABLE_READ, STABLE_WRITE, STABLE_WRITE_COMPRESSED};

/// Decides every point.
const SEED: u64 = 20_261_121;
/// Kills of each verb; 300 of both.
const KILLS: u64 = 150;
/// Chains under way at once: commands wait for the network half of the time.
const CHAINS_AT_ONCE: u64 = 3;
/// Kills of one chain, at most; then it may run to its end.
const KILLS_PER_CHAIN_MAX: u64 = 6;
/// Of all chains, one in so many begins with a patient nobody has treated yet.
const FRESH_ONE_IN: u64 = 8;
/// Chunks of the memory that is backed up.
const CHUNKS_READ: u64 = 17;
/// Chunks of the memory that is restored: every restore has all of it hashed on chain twice.
const CHUNKS_WRITTEN: u64 = 9;

/// How long a command takes when nobody kills it.
#[derive(Clone, Copy, Debug)]
struct Length {
    requests: u64,
    time: Duration,
}

impl Length {
    /// Runs `cli` to its end over `tap`.
    fn measure(cli: &Cli, tap: &Tap) -> Length {
        tap.hold(None);
        let begun = Instant::now();
        cli.succeed();
        Length {
            requests: tap.requests(),
            time: begun.elapsed(),
        }
    }

    fn draw(self, random: &mut StdRng) -> Point {
        if random.random() {
            let moment = [Moment::Before, Moment::After][random.random_range(0..2)];
            Point::Request(random.random_range(1..=self.requests), moment)
        } else {
            Point::Time(self.time.mul_f64(random.random()))
        }
    }
}

/// Runs `cli` again and again, killed at drawn points, until it succeeds; `look` sees what each run began
/// with and `judge` what it did about it. Returns the kills.
fn chain<Seen>(
    cli: &Cli,
    tap: &Tap,
    length: Length,
    random: &mut StdRng,
    look: impl Fn() -> Seen,
    judge: impl Fn(&Seen, &str),
) -> u64 {
    let planned = random.random_range(1..=KILLS_PER_CHAIN_MAX);
    let (old, mut turn) = (earlier_binary(), random.random());
    let mut kills = 0;
    for _ in 0..=planned {
        let point = (kills < planned).then(|| length.draw(random));
        // Which of the two begins is drawn as well.
        let binary = if turn {
            old.clone().unwrap_or_else(binary)
        } else {
            binary()
        };
        turn = !turn;
        let by = binary.display();
        let story =
            format!("seed {SEED}, kill {kills} of {planned} in this chain at {point:?}, by {by}");
        let seen = look();
        let status = run_until(cli.command_of(&binary), tap, point);
        judge(&seen, &story);
        match status {
            None => kills += 1,
            Some(status) => {
                assert!(status.success(), "{story}: {status}");
                return kills;
            }
        }
    }
    panic!("BUG: the last run of a chain is not killed");
}

/// Runs chains on as many threads as are worth it, until all kills are done. Each thread gets a tap and a
/// random number generator of its own.
fn run_chains(world: &World, chain: impl Fn(u64, &Tap, &mut StdRng) -> u64 + Sync) {
    let (kills, chains) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CHAINS_AT_ONCE {
            scope.spawn(|| {
                let tap = Tap::start(&world.url());
                while kills.load(Ordering::SeqCst) < KILLS {
                    let number = chains.fetch_add(1, Ordering::SeqCst);
                    let mut random = StdRng::seed_from_u64(SEED + number);
                    kills.fetch_add(chain(number, &tap, &mut random), Ordering::SeqCst);
                }
            });
        }
    });
    println!("{kills:?} kills in {chains:?} chains");
}

/// The stable memory on disk, under whichever name it has.
fn held(layout: &Layout) -> Vec<u8> {
    let (partial, whole) = (
        layout.partial_image(Memory::Stable),
        layout.image(Memory::Stable),
    );
    fs::read(partial)
        .or_else(|_| fs::read(whole))
        .unwrap_or_default()
}

/// Whatever stands under a final name is right.
fn check_final_names(known: &Known<'_>, directory: &Path, story: &str) {
    let layout = Layout::new(directory);
    if let Ok(image) = fs::read(layout.image(Memory::Stable)) {
        assert!(image == known.stable, "{story}: an unverified image");
    }
    if layout.manifest().exists() {
        let report = verify(&Shared::existing(directory).unwrap(), &mut |_| {}).unwrap();
        assert!(report.is_sound(), "{story}: {:?}", report.findings);
    }
}

/// The chunks that were asked for by reads.
fn chunks_read(tap: &Tap) -> BTreeSet<u64> {
    let reads = tap.heard(STABLE_READ);
    reads
        .iter()
        .flat_map(|heard| {
            let (offset, len_bytes): (u64, u64) = candid::decode_args(&heard.arg).unwrap();
            offset / CHUNK_LEN_BYTES..(offset + len_bytes).div_ceil(CHUNK_LEN_BYTES)
        })
        .collect()
}

/// The chunks that were written to.
fn chunks_written(tap: &Tap) -> BTreeSet<u64> {
    [STABLE_WRITE, STABLE_WRITE_COMPRESSED]
        .iter()
        .flat_map(|method| tap.heard(method))
        .map(|heard| -> (u64, usize) {
            let (offset, data): (u64, ByteBuf) = candid::decode_args(&heard.arg).unwrap();
            (offset, data.len())
        })
        // One zero at the end makes a memory as long as it has to be.
        .filter(|(_, len_bytes)| *len_bytes > 1)
        .map(|(offset, _)| offset / CHUNK_LEN_BYTES)
        .collect()
}

#[test]
fn a_backup_killed_anywhere_goes_on_and_ends_verified() {
    let world = World::new();
    let rescue = Rescue::install(&world);
    let treated = Known::new(&world, rescue, image(1, CHUNKS_READ));
    let tap = Tap::start(&world.url());
    let begin = |number: u64| world.folder.path().join(format!("backup-{number}"));
    let fresh = Known::new(&world, rescue, image(2, CHUNKS_READ));
    // The first run of a patient swaps and hashes, later ones only download.
    let fresh_length = Length::measure(&fresh.backup(tap.url(), &begin(1_000_000)), &tap);
    treated.backup(tap.url(), &begin(1_000_001)).succeed();
    let length = Length::measure(&treated.backup(tap.url(), &begin(1_000_002)), &tap);

    run_chains(&world, |number, tap, random| {
        let directory = begin(number);
        let new = number
            .is_multiple_of(FRESH_ONE_IN)
            .then(|| Known::new(&world, rescue, image(SEED + number, CHUNKS_READ)));
        let (known, length) = match &new {
            Some(new) => (new, fresh_length),
            None => (&treated, length),
        };
        let layout = Layout::new(&directory);
        let cli = known.backup(tap.url(), &directory);
        let kills = chain(
            &cli,
            tap,
            length,
            random,
            || known.right_chunks(&held(&layout)),
            |right, story| {
                let again: Vec<u64> = chunks_read(tap).intersection(right).copied().collect();
                assert!(
                    again.is_empty(),
                    "{story}: fetched though on disk: {again:?}"
                );
                check_final_names(known, &directory, story);
            },
        );
        assert!(layout.manifest().exists() && layout.image(Memory::Stable).exists());
        fs::remove_dir_all(&directory).unwrap();
        kills
    });
}

#[test]
fn a_restore_killed_anywhere_goes_on_and_ends_verified() {
    let world = World::new();
    let rescue = Rescue::install(&world);
    let tap = Tap::start(&world.url());
    // Two backups of canisters alike: a canister that holds the one has much to get from the other.
    let backups = [3, 4].map(|seed| {
        let known = Known::new(&world, rescue, image(seed, CHUNKS_WRITTEN));
        let directory = world.folder.path().join(format!("backup-{seed}"));
        known.backup(tap.url(), &directory).succeed();
        (known, directory)
    });
    let treat = || {
        let known = Known::new(&world, rescue, image(5, CHUNKS_WRITTEN));
        let case = world.folder.path().join("case");
        known
            .backup(tap.url(), &case.join(known.canister.to_text()))
            .succeed();
        known
    };
    let treated: Vec<Known<'_>> = (0..CHAINS_AT_ONCE.max(2)).map(|_| treat()).collect();
    let restore = |known: &Known<'_>, tap: &Tap, which: usize, more: &[&str]| {
        known.restore(tap.url(), &backups[which].1, more)
    };
    // The first restore swaps the uploader in, later ones find it there.
    let wipe: &[&str] = &["--wipe"];
    let fresh_length = Length::measure(&restore(&treated[0], &tap, 1, wipe), &tap);
    for known in &treated[1..] {
        restore(known, &tap, 1, wipe).succeed();
    }
    let length = Length::measure(&restore(&treated[0], &tap, 0, &[]), &tap);
    let free = std::sync::Mutex::new(treated);

    run_chains(&world, |number, tap, random| {
        let is_fresh = number.is_multiple_of(FRESH_ONE_IN);
        let known = if is_fresh {
            treat()
        } else {
            free.lock().unwrap().pop().unwrap()
        };
        let memory = || world.stable_memory(known.canister);
        let which = usize::from(backups[0].0.stable == memory());
        let (more, length): (&[&str], Length) = match is_fresh {
            true => (wipe, fresh_length),
            false => (&[], length),
        };
        let wanted = &backups[which].0;
        let kills = chain(
            &restore(&known, tap, which, more),
            tap,
            length,
            random,
            || wanted.right_chunks(&memory()),
            |right, story| {
                // A wipe empties what was right by chance.
                let again: Vec<u64> = chunks_written(tap).intersection(right).copied().collect();
                assert!(
                    is_fresh || again.is_empty(),
                    "{story}: sent again: {again:?}"
                );
            },
        );
        assert!(memory() == wanted.stable, "seed {SEED}, chain {number}");
        if !is_fresh {
            free.lock().unwrap().push(known);
        }
        kills
    });
}
