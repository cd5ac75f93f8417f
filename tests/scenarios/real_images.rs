//! Memory images nobody here made, set as a patient's stable memory, rescued, wiped, restored and equal.

use pocket_ic::common::rest::BlobCompression;
use tests::flow::Flow;
use tests::{World, images, sha256, wasms};

/// Gives a patient the memory `image` (padded to whole pages by nobody: images are whole pages), takes it
/// through backup, wipe and restore, and compares every byte.
fn survives_the_trip(image: &[u8]) {
    let world = World::new();
    let patient = world.install(
        wasms::load("patients/ledger_hook_panics"),
        candid::encode_args(()).unwrap(),
    );
    world
        .pic
        .set_stable_memory(patient, image.to_vec(), BlobCompression::NoCompression);
    let flow = Flow::begin(&world, patient);
    flow.backup();
    flow.verify();
    flow.wipe_and_restore();
    let restored = world.stable_memory(patient);
    assert_eq!(restored.len(), image.len());
    assert_eq!(sha256(&restored), sha256(image));
}

#[test]
fn the_memory_of_a_real_station_survives_the_trip() {
    if let Some(image) = images::shared(images::STATION) {
        survives_the_trip(&image);
    }
}

#[test]
fn the_memory_of_a_real_upgrader_survives_the_trip() {
    if let Some(image) = images::shared(images::UPGRADER) {
        survives_the_trip(&image);
    }
}

#[test]
fn a_memory_of_runs_gaps_and_noise_survives_the_trip() {
    let mut image = vec![0_u8; 5 * 1_048_576 + 3 * 65_536];
    for (index, page) in image.chunks_mut(65_536).enumerate() {
        match index % 7 {
            0 => page.fill(0xff),
            1 => page
                .iter_mut()
                .enumerate()
                .for_each(|(at, byte)| *byte = (at / 256) as u8),
            2 => page[65_535] = 1,
            3 => {
                let mut word = index as u64 + 1;
                page.chunks_exact_mut(8).for_each(|eight| {
                    word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    eight.copy_from_slice(&word.to_le_bytes());
                });
            }
            _ => {}
        }
    }
    survives_the_trip(&image);
}
