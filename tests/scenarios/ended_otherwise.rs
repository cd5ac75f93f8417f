//! Other ways for a command to end than `kill -9`: Ctrl-C, a full disk, a second process, an older version.
//! Each time the same command again ends verified.

use archive::verify::verify;
use archive::{Layout, Memory, Shared};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tests::World;
use tests::cli::{Cli, binary};
use tests::known::{Known, image};
use tests::rescue::Rescue;
use tests::tap::{Moment, Tap};
use wire::limits::CHUNK_LEN_BYTES;
use wire::methods::STABLE_READ;

/// Chunks of the patients' memories.
const CHUNKS: u64 = 11;
/// How often a scenario looks whether a command has come far enough.
const LOOK_EVERY: Duration = Duration::from_millis(2);

fn is_sound(directory: &Path) -> bool {
    let report = verify(&Shared::existing(directory).unwrap(), &mut |_| {});
    report.is_ok_and(|report| report.is_sound())
}

#[test]
fn an_interrupted_backup_says_so_and_goes_on() {
    let world = World::new();
    let known = Known::new(&world, Rescue::install(&world), image(11, CHUNKS));
    let directory = world.folder.path().join("backup");
    let tap = Tap::start(&world.url());
    let cli = known.backup(tap.url(), &directory);
    // The request after the third read of a chunk never comes back.
    tap.hold(None);
    let mut child = cli.command().stderr(Stdio::piped()).spawn().unwrap();
    while tap.heard(STABLE_READ).len() < 3 {
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::sleep(LOOK_EVERY);
    }
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("run the same command again"), "{text}");
    assert!(!directory.join("ic-rescue/manifest.json").exists());
    cli.succeed();
    assert!(is_sound(&directory));
}

#[test]
fn two_backups_at_once_do_not_meet_in_one_directory() {
    let world = World::new();
    let known = Known::new(&world, Rescue::install(&world), image(12, CHUNKS));
    let directory = world.folder.path().join("backup");
    let tap = Tap::start(&world.url());
    let first = known.backup(tap.url(), &directory);
    let second = known.backup(&world.url(), &directory);
    // The first comes as far as its fifth request and waits there, holding the directory.
    tap.hold(Some((5, Moment::After)));
    let mut child = first.command().stderr(Stdio::null()).spawn().unwrap();
    while !tap.is_held() {
        std::thread::sleep(LOOK_EVERY);
    }
    let refused = second.run();
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(7), "{text}");
    assert!(text.contains("in use by another ic-rescue"), "{text}");
    child.kill().unwrap();
    child.wait().unwrap();
    // The lock ended with its holder.
    second.succeed();
    assert!(is_sound(&directory));
}

#[test]
fn two_restores_at_once_end_with_the_backup_in_the_canister() {
    let world = World::new();
    let rescue = Rescue::install(&world);
    let wanted = Known::new(&world, rescue, image(13, CHUNKS));
    let directory = world.folder.path().join("backup");
    wanted.backup(&world.url(), &directory).succeed();
    let known = Known::new(&world, rescue, image(14, CHUNKS));
    let own = world.folder.path().join("own");
    known.backup(&world.url(), &own).succeed();
    let cli = known.restore(&world.url(), &directory, &[]);
    let mut both = [0, 1].map(|_| cli.command().stderr(Stdio::null()).spawn().unwrap());
    for child in &mut both {
        // Each may find the other's steps in its way; none may do harm.
        child.wait().unwrap();
    }
    cli.succeed();
    assert!(world.stable_memory(known.canister) == wanted.stable);
}

/// Runs commands with a file system of `disk_bytes` at `mount` that grows to `more_bytes` after the first of
/// them failed. Needs neither root nor a disk: the file system lives in memory and in its own name space.
fn on_a_small_disk(mount: &Path, disk_bytes: u64, more_bytes: u64, cli: &Cli) -> String {
    let script = r#"
        mount -t tmpfs -o size="$1" none "$0" || exit 91
        more=$2; shift 2
        "$@" && exit 92
        echo "first run ended with $?" >&2
        mount -o remount,size="$more" none "$0" || exit 93
        "$@" || exit 94
        "$PROGRAM" verify "$0/backup" || exit 95
    "#;
    let user_name_space = Command::new("unshare").args(["-Urm", "true"]).status();
    let flags = match user_name_space {
        Ok(status) if status.success() => "-Urm",
        _ => "-m",
    };
    let run = cli.command();
    let output = Command::new("unshare")
        .args([flags, "sh", "-c", script])
        .arg(mount)
        .args([disk_bytes.to_string(), more_bytes.to_string()])
        .arg(run.get_program())
        .args(run.get_args())
        .env("PROGRAM", binary())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}\n{text}", output.status);
    text
}

#[test]
fn a_backup_onto_a_full_disk_goes_on_when_there_is_room() {
    let world = World::new();
    let known = Known::new(&world, Rescue::install(&world), image(15, CHUNKS));
    let mount = world.folder.path().join("disk");
    fs::create_dir(&mount).unwrap();
    // Room for three chunks, then for all.
    let cli = known.backup(&world.url(), &mount.join("backup"));
    let text = on_a_small_disk(&mount, 3 * CHUNK_LEN_BYTES, 64 * CHUNK_LEN_BYTES, &cli);
    assert!(text.contains("No space left on device"), "{text}");
    assert!(text.contains("run the same command again"), "{text}");
    assert!(text.contains("sound"), "{text}");
}

#[test]
fn what_an_older_version_left_half_done_is_continued() {
    let world = World::new();
    let known = Known::new(&world, Rescue::install(&world), image(16, CHUNKS));
    let directory = world.folder.path().join("backup");
    let layout = Layout::new(&directory);
    // As version 0.1.0 leaves it: its draft to the letter, an image with two chunks in place, one of which a
    // power cut tore, and a temporary file.
    fs::create_dir_all(layout.sidecar()).unwrap();
    fs::write(
        layout.draft(),
        format!(
            r#"{{
  "format": "ic-rescue draft",
  "format_version": 1,
  "canister": "{}",
  "module_hash": null,
  "canister_version": 3,
  "network": "{}",
  "route": "rescue",
  "attestation": {{
    "by": "rescue",
    "rescue_canister": "{}",
    "case": 1
  }},
  "taken_at_ns": 1757000000000000001
}}
"#,
            known.canister,
            world.url(),
            known.rescue.canister
        ),
    )
    .unwrap();
    let chunk = |index: u64| {
        let start = (index * CHUNK_LEN_BYTES) as usize;
        &known.stable[start..start + CHUNK_LEN_BYTES as usize]
    };
    let mut partial = vec![0; known.stable.len()];
    partial[..CHUNK_LEN_BYTES as usize].copy_from_slice(chunk(0));
    let torn = CHUNK_LEN_BYTES as usize..CHUNK_LEN_BYTES as usize + 5_000;
    partial[torn].copy_from_slice(&chunk(1)[..5_000]);
    fs::write(layout.partial_image(Memory::Stable), &partial).unwrap();
    fs::write(layout.sidecar().join("manifest.json.tmp"), "{").unwrap();

    let tap = Tap::start(&world.url());
    tap.hold(None);
    known.backup(tap.url(), &directory).succeed();
    assert!(is_sound(&directory));
    let first_reads = tap.heard(STABLE_READ);
    let asked = |chunk: u64| {
        first_reads.iter().any(|heard| {
            let (offset, len_bytes): (u64, u64) = candid::decode_args(&heard.arg).unwrap();
            (offset..offset + len_bytes).contains(&(chunk * CHUNK_LEN_BYTES))
        })
    };
    assert!(!asked(0) && asked(1), "{first_reads:?}");

    // And what a newer version left is left alone.
    let newer = fs::read_to_string(layout.manifest()).unwrap();
    let newer = newer.replace("\"format_version\": 1", "\"format_version\": 2");
    fs::write(layout.manifest(), &newer).unwrap();
    let refused = known.backup(&world.url(), &directory).run();
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(8), "{text}");
    assert_eq!(fs::read_to_string(layout.manifest()).unwrap(), newer);
}
