//! What a restore costs, raw and compressed, in cycles the network charges.

use candid::Principal;
use serde_bytes::Bytes;
use tests::ledger::{Ledger, demo_entries};
use tests::{World, images, wasms};
use wire::limits::CHUNK_LEN_BYTES;
use wire::methods::{STABLE_WRITE, STABLE_WRITE_COMPRESSED};

/// Writes every chunk of `image` that is not all zeros into a fresh canister; returns the cycles that took.
fn restore(world: &World, image: &[u8], method: &str, pack: impl Fn(&[u8]) -> Vec<u8>) -> u128 {
    let arg = candid::encode_args(()).unwrap();
    let canister: Principal = world.install(wasms::load("uploader"), arg);
    let before = world.pic.cycle_balance(canister);
    let chunk_len_bytes = CHUNK_LEN_BYTES as usize;
    for (index, chunk) in image.chunks(chunk_len_bytes).enumerate() {
        if chunk.iter().any(|byte| *byte != 0) {
            let offset = (index * chunk_len_bytes) as u64;
            let data = pack(chunk);
            let () = pocket_ic::update_candid_as(
                &world.pic,
                canister,
                world.operator.principal,
                method,
                (offset, Bytes::new(&data)),
            )
            .unwrap();
        }
    }
    let after = world.pic.cycle_balance(canister);
    let written = world.stable_memory(canister);
    let (same, rest) = image.split_at(written.len().min(image.len()));
    assert!(written == same, "{method} wrote something else");
    assert!(rest.iter().all(|byte| *byte == 0), "{method} left data out");
    before - after
}

fn costs_less_than_a_third(world: &World, name: &str, image: &[u8]) {
    let raw = restore(world, image, STABLE_WRITE, <[u8]>::to_vec);
    let compressed = restore(
        world,
        image,
        STABLE_WRITE_COMPRESSED,
        lz4_flex::block::compress_prepend_size,
    );
    println!("{name}: {raw} cycles raw, {compressed} compressed");
    assert!(compressed * 3 < raw, "{name}: {compressed} of {raw} cycles");
}

#[test]
fn a_compressed_restore_of_the_demos_patient_costs_less_than_a_third() {
    let world = World::new();
    let ledger = Ledger::install(&world);
    ledger.fill(&world, &demo_entries());
    let image = world.stable_memory(ledger.canister);
    costs_less_than_a_third(&world, "the demo's ledger", &image);
}

#[test]
fn a_compressed_restore_of_each_real_image_costs_less_than_a_third() {
    let world = World::new();
    for name in [images::STATION, images::UPGRADER] {
        if let Some(image) = images::shared(name) {
            costs_less_than_a_third(&world, name, &image);
        }
    }
}
