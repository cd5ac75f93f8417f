//! Fetching from a source that fails in every way a network can.

use super::*;
use crate::error::{CallError, CallErrorKind};
use crate::transfer::progress::Hidden;
use archive::manifest::{Attestation, Route, Subject};
use archive::{ChunkDigests, Draft, Exclusive, Memory};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

const CHUNK: u64 = 4096;

/// What happens to a request.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Corrupt,
    Drop,
    Delay,
    Short,
    Long,
    Empty,
    Reject,
}

/// A memory behind a bad line: request number n meets fault n, if there is one.
struct Faulty {
    data: Vec<u8>,
    faults: Mutex<HashMap<u64, Fault>>,
    always: Option<(u64, Fault)>,
    requests: Mutex<Vec<(u64, u64)>>,
}

impl Faulty {
    fn new(data: Vec<u8>, faults: &[(u64, Fault)]) -> Arc<Self> {
        let faults = Mutex::new(faults.iter().copied().collect());
        Arc::new(Self {
            data,
            faults,
            always: None,
            requests: Mutex::new(Vec::new()),
        })
    }
}

impl Source for Faulty {
    async fn read(&self, _: Memory, offset: u64, len_bytes: u64) -> Result<Bytes, CallError> {
        let number = {
            let mut requests = self.requests.lock().unwrap();
            requests.push((offset, len_bytes));
            requests.len() as u64 - 1
        };
        let mut reply = self.data[offset as usize..][..len_bytes as usize].to_vec();
        let always = self
            .always
            .filter(|(at, _)| (offset..offset + len_bytes).contains(at))
            .map(|(_, fault)| fault);
        let once = self.faults.lock().unwrap().remove(&number);
        let error = |kind| CallError {
            canister: "faulty".into(),
            method: "read".into(),
            message: "injected".into(),
            kind,
        };
        match once.or(always) {
            None => {}
            Some(Fault::Corrupt) => reply[len_bytes as usize / 2] ^= 1,
            Some(Fault::Drop) => return Err(error(CallErrorKind::Temporary)),
            Some(Fault::Delay) => tokio::task::yield_now().await,
            Some(Fault::Short) => reply.truncate(len_bytes as usize - 1),
            Some(Fault::Long) => reply.push(0),
            Some(Fault::Empty) => reply.clear(),
            Some(Fault::Reject) => return Err(error(CallErrorKind::Rejected)),
        }
        Ok(reply.into())
    }
}

fn image(chunks: u64) -> Vec<u8> {
    (0..chunks * CHUNK - 100)
        .map(|n| (n * 13 + n / 4096) as u8 | 1)
        .collect()
}

struct Place {
    _dir: tempfile::TempDir,
    _draft: Draft,
    writer: Arc<ImageWriter>,
    missing: Vec<u64>,
}

fn place(data: &[u8]) -> Place {
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject {
        canister: "aaaaa-aa".into(),
        module_hash: None,
        canister_version: None,
        network: "test".into(),
        route: Route::Direct,
        attestation: Attestation::ReplicatedCalls,
        taken_at_ns: 0,
        snapshot: None,
    };
    let draft = Draft::begin(Exclusive::create(dir.path()).unwrap(), subject).unwrap();
    let digests = ChunkDigests::of_bytes(Memory::Stable, data, CHUNK);
    let mut writer = draft.writer(digests).unwrap();
    let missing = writer.survey(&mut |_| {}).unwrap();
    Place {
        _dir: dir,
        _draft: draft,
        writer: Arc::new(writer),
        missing,
    }
}

fn options() -> FetchOptions {
    let retry = Retry {
        backoff_first: Duration::ZERO,
        ..Retry::default()
    };
    FetchOptions {
        workers: 4,
        chunks_per_read: 2,
        retry: Arc::new(retry),
    }
}

async fn fetch(source: &Arc<Faulty>, place: &Place) -> Result<Fetched, CliError> {
    fetch_image(source, &place.writer, &place.missing, &options(), &Hidden).await
}

fn sealed(place: Place) -> bool {
    let Place {
        _dir,
        _draft,
        mut writer,
        ..
    } = place;
    // A write that was under way when the transfer was cut off still ends.
    loop {
        match Arc::try_unwrap(writer) {
            Ok(writer) => return writer.seal(&mut |_| {}).is_ok(),
            Err(shared) => writer = shared,
        }
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_good_line_needs_one_request_per_two_chunks() {
    let source = Faulty::new(image(9), &[]);
    let place = place(&source.data);
    let fetched = fetch(&source, &place).await.unwrap();
    assert_eq!(
        fetched,
        Fetched {
            chunks: 9,
            bytes: 9 * CHUNK - 100,
            wrong_chunks: 0
        }
    );
    assert_eq!(source.requests.lock().unwrap().len(), 5);
    assert!(sealed(place));
}

#[tokio::test]
async fn every_fault_is_caught_and_recovered() {
    for fault in [
        Fault::Corrupt,
        Fault::Drop,
        Fault::Delay,
        Fault::Short,
        Fault::Long,
        Fault::Empty,
    ] {
        let source = Faulty::new(image(9), &[(0, fault), (3, fault), (4, fault), (6, fault)]);
        let place = place(&source.data);
        let fetched = fetch(&source, &place).await.unwrap();
        assert_eq!(fetched.chunks, 9, "{fault:?}");
        let harmless = matches!(fault, Fault::Drop | Fault::Delay);
        assert_eq!(
            fetched.wrong_chunks == 0,
            harmless,
            "{fault:?}: {fetched:?}"
        );
        assert!(sealed(place), "{fault:?}");
    }
}

#[tokio::test]
async fn the_good_half_of_a_corrupt_reply_is_not_fetched_again() {
    let source = Faulty::new(image(2), &[(0, Fault::Corrupt)]);
    let place = place(&source.data);
    fetch(&source, &place).await.unwrap();
    // The byte in the middle of the first reply belongs to chunk 0.
    assert_eq!(
        *source.requests.lock().unwrap(),
        [(0, 2 * CHUNK - 100), (0, CHUNK)]
    );
    assert!(sealed(place));
}

#[tokio::test]
async fn a_liar_is_given_up_and_nothing_of_it_is_kept() {
    let mut source = Faulty::new(image(6), &[]);
    Arc::get_mut(&mut source).unwrap().always = Some((3 * CHUNK + 10, Fault::Corrupt));
    let place = place(&source.data);
    let error = fetch(&source, &place).await.unwrap_err();
    assert!(
        matches!(
            error,
            CliError::ChunkNeverMatched {
                attempts: WRONG_REPLIES_MAX,
                ..
            }
        ),
        "{error}"
    );
    assert!(!sealed(place));
}

#[tokio::test]
async fn a_rejection_ends_the_transfer() {
    let source = Faulty::new(image(6), &[(1, Fault::Reject)]);
    let place = place(&source.data);
    assert!(matches!(
        fetch(&source, &place).await,
        Err(CliError::Rejected(_))
    ));
    assert!(!sealed(place));
}
