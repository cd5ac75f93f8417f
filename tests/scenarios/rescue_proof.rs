//! A backup's certificate is checked without a network: against the root key, by the canister's name, by
//! time and by what the manifest says. What does not fit is told apart.
//!
//! The first check uses nothing of ours but the layout of the tree: ic-certification reads, and BLS
//! verifies. The others go through the check that `ic-rescue verify` makes.

use archive::Manifest;
use archive::layout::Layout;
use candid::Principal;
use ic_certification::{Certificate, HashTree, LookupResult};
use ic_rescue::certificate::{Flaw, Verdict, check};
use ic_verify_bls_signature::verify_bls_signature;
use rescue_api::{ChecksumArgs, ChecksumProgress, Memory, RootStatement, methods};
use std::path::{Path, PathBuf};
use tests::World;
use tests::cli::Cli;
use tests::ledger::{Ledger, varied_entries};
use tests::rescue::Rescue;

/// What precedes the 96 bytes of a BLS key in its DER form.
const DER_PREFIX_LEN_BYTES: usize = 37;
/// What a subnet signs before the digest of its tree.
const STATE_ROOT: &[u8] = b"\x0Dic-state-root";

struct Archive<'a> {
    world: &'a World,
    rescue: Rescue,
}

impl Archive<'_> {
    fn back_up(&self, ledger: Ledger, name: &str) -> PathBuf {
        let directory = self.world.folder.path().join(name);
        Cli::new(
            self.world,
            &[
                &"backup",
                &ledger.canister.to_text(),
                &"--output",
                &directory,
                &"--rescue",
                &self.rescue.canister.to_text(),
            ],
        )
        .succeed();
        directory
    }

    fn patient(&self, seed: u64) -> Ledger {
        let entries = varied_entries(seed, 20_000);
        let ledger = Ledger::bricked(self.world, &entries, "patients/ledger_hook_panics");
        self.rescue.take_control_of(self.world, ledger.canister);
        ledger
    }

    fn root_key(&self) -> Vec<u8> {
        self.world.pic.root_key().unwrap()
    }

    fn verdict(&self, directory: &Path, manifest: &Manifest) -> Verdict {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(check(&Layout::new(directory), manifest, self.root_key()))
    }
}

fn manifest(directory: &Path) -> Manifest {
    archive::open::read_manifest(&Layout::new(directory)).unwrap()
}

fn certified(directory: &Path, name: &str) -> Vec<u8> {
    std::fs::read(Layout::new(directory).certified().join(name)).unwrap()
}

/// Takes over the certificate of another backup, with all that belongs to it.
fn take_certificate(from: &Path, to: &Path) {
    let (from, to) = (Layout::new(from), Layout::new(to));
    for file in std::fs::read_dir(from.certified()).unwrap() {
        let name = file.unwrap().file_name();
        std::fs::copy(from.certified().join(&name), to.certified().join(&name)).unwrap();
    }
}

/// The value at a path, if the signature over the tree is that of the key.
fn signed<'a>(certificate: &'a Certificate, key: &[u8], path: &[&[u8]]) -> &'a [u8] {
    let message = [STATE_ROOT, &certificate.tree.digest()].concat();
    verify_bls_signature(
        &certificate.signature,
        &message,
        &key[DER_PREFIX_LEN_BYTES..],
    )
    .expect("the signature is the subnet's");
    match certificate.tree.lookup_path(path) {
        LookupResult::Found(value) => value,
        other => panic!("{path:?}: {other:?}"),
    }
}

#[test]
fn a_certificate_verifies_offline_with_nothing_but_the_root_key() {
    let world = World::new();
    let rescue = Rescue::install(&world);
    let archive = Archive {
        world: &world,
        rescue,
    };
    let ledger = archive.patient(61);
    let directory = archive.back_up(ledger, "backup");
    let root_key = archive.root_key();
    drop(world.pic);

    let certificate: Certificate =
        serde_cbor::from_slice(&certified(&directory, "certificate.cbor")).unwrap();
    let certified_data: [&[u8]; 3] = [b"canister", rescue.canister.as_slice(), b"certified_data"];
    let delegation = certificate
        .delegation
        .as_ref()
        .expect("not the root subnet");
    let parent: Certificate = serde_cbor::from_slice(&delegation.certificate).unwrap();
    let subnet: &[u8] = delegation.subnet_id.as_ref();
    let subnet_key = signed(&parent, &root_key, &[b"subnet", subnet, b"public_key"]);
    let ranges = signed(&parent, &root_key, &[b"subnet", subnet, b"canister_ranges"]);
    let ranges: Vec<(Principal, Principal)> = serde_cbor::from_slice(ranges).unwrap();
    assert!(
        ranges
            .iter()
            .any(|(first, last)| (first..=last).contains(&&rescue.canister))
    );
    let data = signed(&certificate, subnet_key, &certified_data);

    let witness: HashTree = serde_cbor::from_slice(&certified(&directory, "witness.cbor")).unwrap();
    assert_eq!(witness.digest(), data);
    let label = RootStatement::case_label(1);
    let path: [&[u8]; 3] = [RootStatement::TREE_LABEL.as_bytes(), &label, b"stable"];
    let LookupResult::Found(statement) = witness.lookup_path(path) else {
        panic!("nothing is certified about stable memory");
    };
    let statement = String::from_utf8(statement.to_vec()).unwrap();
    let manifest = manifest(&directory);
    let entry = manifest.memory(archive::Memory::Stable).unwrap();
    for line in [
        format!("patient {}", ledger.canister),
        format!("size {}", entry.size_bytes),
        format!("root {}", entry.root),
    ] {
        assert!(statement.lines().any(|held| held == line), "{statement}");
    }
}

#[test]
fn a_changed_manifest_another_patient_and_an_old_certificate_are_told_apart() {
    let world = World::new();
    let rescue = Rescue::install(&world);
    let archive = Archive {
        world: &world,
        rescue,
    };
    let (one, other) = (archive.patient(62), archive.patient(63));
    let earlier = archive.back_up(one, "earlier");
    let others = archive.back_up(other, "others");
    let restart = ChecksumArgs {
        case: 1,
        memory: Memory::Stable,
        restart: true,
        batches_max: None,
    };
    let _: ChecksumProgress = rescue
        .update(&world, methods::CHECKSUM, (restart,))
        .unwrap();
    let later = archive.back_up(one, "later");
    let sound = manifest(&later);
    assert!(matches!(
        archive.verdict(&later, &sound),
        Verdict::Valid { .. }
    ));

    let mut changed = sound.clone();
    let root = &mut changed.memories[0].root;
    *root = root.chars().rev().collect();
    let verdict = archive.verdict(&later, &changed);
    assert!(
        matches!(verdict, Verdict::Invalid(Flaw::OtherManifest { .. })),
        "{verdict:?}"
    );

    // Under the root key of the Internet Computer, which has never heard of this network.
    let agent = ic_agent::Agent::builder().with_url("http://127.0.0.1/");
    let foreign_key = agent.build().unwrap().read_root_key();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let verdict = runtime.block_on(check(&Layout::new(&later), &sound, foreign_key));
    assert!(
        matches!(verdict, Verdict::Invalid(Flaw::NotSigned(_))),
        "{verdict:?}"
    );

    take_certificate(&others, &later);
    assert_eq!(
        archive.verdict(&later, &sound),
        Verdict::Invalid(Flaw::OtherPatient {
            found: other.canister.to_text(),
            expected: one.canister.to_text(),
        })
    );

    take_certificate(&earlier, &later);
    let verdict = archive.verdict(&later, &sound);
    assert!(
        matches!(verdict, Verdict::Invalid(Flaw::Old { signed_at_ns, taken_at_ns })
            if signed_at_ns < taken_at_ns),
        "{verdict:?}"
    );
    // The command line says so, too.
    let told = Cli::offline(&[&"verify", &later]).fail();
    assert!(told.contains("it is an old certificate"), "{told}");

    let mut bytes = certified(&earlier, "certificate.cbor");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(
        Layout::new(&later).certified().join("certificate.cbor"),
        bytes,
    )
    .unwrap();
    let verdict = archive.verdict(&later, &sound);
    assert!(
        matches!(verdict, Verdict::Invalid(Flaw::NotSigned(_))),
        "{verdict:?}"
    );
}
