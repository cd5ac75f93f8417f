//! `cargo xtask bench --transfer`: one download in several ways from one server, without and with latency.
//!
//! | way | what it does |
//! |---|---|
//! | ceiling | as many raw queries at once as we may make, their replies thrown away unread |
//! | hashed later | the ceiling, and then as many bytes hashed by all processors: what no verified download can beat where the server leaves none idle |
//! | plain | raw queries, every reply hashed and written to a file in the plainest way |
//! | library | as many queries of ic-agent at once, which checks their signatures, the replies thrown away |
//! | ours | `ic-rescue backup`, from the survey to the last chunk on disk with its checksum verified |
//! | sequential | queries of 1 MiB one after the other, written to a file |
//! | icp | `icp canister snapshot download`, the real binary |
//!
//! The ways take turns, round by round, so that a busy machine is busy for all of them; medians are compared.
//! Shares of the ceiling are printed, no rates: those are the machine's; and whether ours is at least 85 %.
//!
//! `bench_transfer [MIB [ROUNDS]]`, 256 and 7 unless told otherwise.

// A benchmark that cannot go on reports by panicking.
#![allow(clippy::unwrap_used)]

use candid::Principal;
use ic_agent::Agent;
use sha2::Digest;
use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tests::World;
use tests::cli::Cli;
use tests::delay::Delay;
use tests::icp::Icp;
use tests::rescue::Rescue;
use tests::watch::watch;
use wire::limits::MIB_BYTES;

/// Requests under way at once: as many as the command line may make unless told otherwise.
const LANES: usize = 12;
/// Bytes of one of its requests.
const READ_LEN_BYTES: u64 = 2 * MIB_BYTES;
/// Share of the ceiling that is promised.
const SHARE_MIN: f64 = 0.85;
/// What the raw queries do with their replies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Replies {
    ThrownAway,
    HashedAndWritten,
}

/// Latencies added to every reply, in milliseconds.
const LATENCIES_MS: [u64; 2] = [0, 100];

fn main() {
    let mut numbers = std::env::args()
        .skip(1)
        .map(|word| word.parse::<u64>().unwrap());
    let mib = numbers.next().unwrap_or(256);
    let rounds = numbers.next().unwrap_or(7);
    let world = World::new();
    let (canister, rescue) = tests::large::noise(&world, mib);
    let bench = Bench {
        world: &world,
        canister,
        rescue,
        size_bytes: mib * MIB_BYTES,
        icp: Icp::new(&world),
        runtime: tokio::runtime::Runtime::new().unwrap(),
    };
    // From here on the checksums are recorded: what follows only downloads.
    bench.backup(&world.url(), "first");
    for latency_ms in LATENCIES_MS {
        bench.compare(latency_ms, rounds);
    }
}

struct Bench<'a> {
    world: &'a World,
    canister: Principal,
    rescue: Rescue,
    size_bytes: u64,
    icp: Icp<'a>,
    runtime: tokio::runtime::Runtime,
}

impl Bench<'_> {
    /// Runs all ways at one latency and prints their shares.
    fn compare(&self, latency_ms: u64, rounds: u64) {
        let delay = Delay::start(&self.world.url(), Duration::from_millis(latency_ms));
        let url = match latency_ms {
            0 => self.world.url(),
            _ => delay.url().to_string(),
        };
        let [
            mut ceiling,
            mut later,
            mut plain,
            mut library,
            mut ours,
            mut command,
        ] = [const { Vec::new() }; 6];
        for round in 0..rounds {
            let thrown_away = self.raw(&url, Replies::ThrownAway);
            later.push(thrown_away + hash_on_all_processors(self.size_bytes));
            ceiling.push(thrown_away);
            plain.push(self.raw(&url, Replies::HashedAndWritten));
            library.push(self.library(&url));
            let (transfer, whole) = self.backup(&url, &format!("{latency_ms}-{round}"));
            ours.push(transfer);
            command.push(whole);
        }
        let ceiling = median(ceiling);
        let share = |time: Duration| ceiling.as_secs_f64() / time.as_secs_f64();
        println!("\n{latency_ms} ms added to each reply, shares of the ceiling:");
        let tell = |name: &str, time: Duration| println!("  {name:<44}{:>6.2}", share(time));
        let ours = median(ours);
        tell("ours, checksums verified", ours);
        tell("ours, the whole command", median(command));
        tell("ceiling, then hashed on all processors", median(later));
        tell("raw queries, hashed and written plainly", median(plain));
        tell("queries of ic-agent, thrown away", median(library));
        tell("sequential queries of 1 MiB", self.sequential(&url));
        tell("icp canister snapshot download", self.icp(&url, latency_ms));
        let reached = if share(ours) >= SHARE_MIN {
            "is"
        } else {
            "is NOT"
        };
        println!("  ours {reached} at least {SHARE_MIN} of the ceiling");
    }

    /// As many raw queries at once as we make.
    fn raw(&self, url: &str, replies: Replies) -> Duration {
        let path = self.world.folder.path().join("raw");
        let file = Arc::new(fs::File::create(&path).unwrap());
        let time = self.runtime.block_on(async {
            let agent = self.agent(url).await;
            let mut signed = Vec::new();
            for offset in (0..self.size_bytes).step_by(READ_LEN_BYTES as usize) {
                let len_bytes = READ_LEN_BYTES.min(self.size_bytes - offset);
                let query = agent.query(&self.canister, "stable_read");
                let arg = candid::encode_args((offset, len_bytes)).unwrap();
                // As ours: a cached reply is no download.
                let query = query.with_arg(arg).with_nonce_generation();
                signed.push(query.sign().unwrap().signed_query);
            }
            let url = format!("{url}api/v3/canister/{}/query", self.canister);
            let (client, next) = (reqwest::Client::new(), Arc::new(AtomicUsize::new(0)));
            let signed = Arc::new(signed);
            let begun = Instant::now();
            let lane = || {
                let (client, next, signed) = (client.clone(), next.clone(), signed.clone());
                let (url, file) = (url.clone(), file.clone());
                async move {
                    let mut bytes = 0;
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(body) = signed.get(number) else {
                            break;
                        };
                        let mut kept = Vec::new();
                        let query = client.post(&url).body(body.clone());
                        let query = query.header("content-type", "application/cbor");
                        let mut reply = query.send().await.unwrap();
                        while let Some(part) = reply.chunk().await.unwrap() {
                            bytes += part.len() as u64;
                            if replies == Replies::HashedAndWritten {
                                kept.extend_from_slice(&part);
                            }
                        }
                        if replies == Replies::HashedAndWritten {
                            std::hint::black_box(sha2::Sha256::digest(&kept));
                            let offset = number as u64 * READ_LEN_BYTES;
                            file.write_all_at(&kept, offset).unwrap();
                        }
                    }
                    bytes
                }
            };
            let lanes: Vec<_> = (0..LANES).map(|_| tokio::spawn(lane())).collect();
            let mut bytes = 0;
            for lane in lanes {
                bytes += lane.await.unwrap();
            }
            assert!(bytes > self.size_bytes, "{bytes} bytes of replies");
            begun.elapsed()
        });
        fs::remove_file(path).unwrap();
        time
    }

    /// As many queries at once, as a program makes them that uses the library.
    fn library(&self, url: &str) -> Duration {
        self.runtime.block_on(async {
            let agent = self.agent(url).await;
            let next = Arc::new(AtomicUsize::new(0));
            let (canister, size_bytes) = (self.canister, self.size_bytes);
            let begun = Instant::now();
            let lane = || {
                let (agent, next) = (agent.clone(), next.clone());
                async move {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed) as u64;
                        let offset = number * READ_LEN_BYTES;
                        if offset >= size_bytes {
                            break;
                        }
                        let len_bytes = READ_LEN_BYTES.min(size_bytes - offset);
                        let arg = candid::encode_args((offset, len_bytes)).unwrap();
                        let query = agent.query(&canister, "stable_read").with_arg(arg);
                        let reply = query.with_nonce_generation().call().await.unwrap();
                        assert!(reply.len() as u64 > len_bytes);
                    }
                }
            };
            let lanes: Vec<_> = (0..LANES).map(|_| tokio::spawn(lane())).collect();
            for lane in lanes {
                lane.await.unwrap();
            }
            begun.elapsed()
        })
    }

    /// Our download: from the survey of the directory to the last chunk, and the command from beginning to end.
    fn backup(&self, url: &str, name: &str) -> (Duration, Duration) {
        let directory = self.world.folder.path().join(format!("ours-{name}"));
        let canister = self.canister.to_text();
        let rescue = self.rescue.canister.to_text();
        let args: [&dyn AsRef<std::ffi::OsStr>; 7] = [
            &"backup",
            &canister,
            &"--output",
            &directory,
            &"--rescue",
            &rescue,
            &"--json",
        ];
        let cli = Cli::over(self.world, url, &args);
        let watched = watch(cli.command().stderr(Stdio::null()));
        fs::remove_dir_all(&directory).unwrap();
        let begun = watched.time_of(&[r#""type":"surveyed""#, "stable"]);
        let ended = watched.time_of(&[r#""type":"fetched""#, "stable"]);
        (ended - begun, watched.time)
    }

    /// Queries of 1 MiB, one after the other, into a file.
    fn sequential(&self, url: &str) -> Duration {
        let path = self.world.folder.path().join("sequential");
        let mut file = fs::File::create(&path).unwrap();
        let time = self.runtime.block_on(async {
            let agent = self.agent(url).await;
            let begun = Instant::now();
            for offset in (0..self.size_bytes).step_by(MIB_BYTES as usize) {
                let arg = candid::encode_args((offset, MIB_BYTES)).unwrap();
                let query = agent.query(&self.canister, "stable_read").with_arg(arg);
                let reply = query.call().await.unwrap();
                let (data,): (serde_bytes::ByteBuf,) = candid::decode_args(&reply).unwrap();
                file.write_all(&data).unwrap();
            }
            begun.elapsed()
        });
        fs::remove_file(path).unwrap();
        time
    }

    /// The real `icp` binary downloads the snapshot that the rescue canister took.
    fn icp(&self, url: &str, latency_ms: u64) -> Duration {
        let view = self.rescue.case(self.world, 1);
        let snapshot = hex::encode(view.snapshot.unwrap().id);
        let directory = self.world.folder.path().join(format!("icp-{latency_ms}"));
        let root_key = hex::encode(self.world.pic.root_key().unwrap());
        let canister = self.canister.to_text();
        let mut command = self.icp.command(&[
            &"canister",
            &"snapshot",
            &"download",
            &canister,
            &snapshot,
            &"--output",
            &directory,
            &"--network",
            &url,
            &"--root-key",
            &root_key,
            &"--identity",
            &tests::icp::OPERATOR,
        ]);
        let watched = watch(command.stderr(Stdio::null()));
        let image = directory.join("stable_memory.bin");
        assert_eq!(fs::metadata(image).unwrap().len(), self.size_bytes);
        fs::remove_dir_all(&directory).unwrap();
        watched.time
    }

    async fn agent(&self, url: &str) -> Agent {
        let agent = Agent::builder()
            .with_url(url)
            .with_identity(self.world.operator.for_agent())
            .build()
            .unwrap();
        agent.fetch_root_key().await.unwrap();
        agent
    }
}

/// How long all processors together take to hash so many bytes.
fn hash_on_all_processors(size_bytes: u64) -> Duration {
    let threads = std::thread::available_parallelism().unwrap().get() as u64;
    let piece = vec![7; READ_LEN_BYTES as usize];
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..size_bytes / READ_LEN_BYTES / threads {
                    std::hint::black_box(sha2::Sha256::digest(std::hint::black_box(&piece)));
                }
            });
        }
    });
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
