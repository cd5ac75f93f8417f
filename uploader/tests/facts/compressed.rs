//! Compressed writes, against the encoder and the decoder of lz4_flex.

use crate::harness::{Canister, noise};
use crate::updates::{WRITERS, write};
use std::io::Read;
use wire::limits::{CHUNK_LEN_BYTES, DECOMPRESSED_LEN_MAX_BYTES, PAGE_LEN_BYTES};

const PAGE: usize = PAGE_LEN_BYTES as usize;

/// The data of a compressed write.
pub fn compress(data: &[u8]) -> Vec<u8> {
    let mut message = (data.len() as u32).to_le_bytes().to_vec();
    message.extend(lz4_flex::block::compress(data));
    message
}

/// Memory contents of many kinds: none, noise, runs of all periods, text, and mixtures.
fn samples() -> Vec<Vec<u8>> {
    let mut samples = vec![
        vec![],
        vec![5],
        noise(10, 1),
        noise(100_000, 2),
        vec![0; 200_000],
    ];
    for period in [
        1, 2, 3, 5, 7, 8, 9, 16, 100, 743, 744, 760, 761, 1_000, 65_535,
    ] {
        let pattern = noise(period, period as u64);
        samples.push(pattern.iter().copied().cycle().take(150_000).collect());
    }
    let text = (0..20_000)
        .flat_map(|line| format!("account {line:08} balance {}\n", line * line).into_bytes());
    samples.push(text.collect());
    let mut mixed = Vec::new();
    for part in 0..60 {
        mixed.extend(noise(part * 31, part as u64));
        mixed.extend(vec![part as u8; 1_000 - part * 16]);
        mixed.extend(noise(part * 31, part as u64 / 2));
    }
    samples.push(mixed);
    samples
}

#[test]
fn what_the_encoder_compressed_arrives_whole() {
    for name in WRITERS {
        for data in samples() {
            for offset in [0, 4_095, 70_001] {
                let heap = noise(PAGE, 3);
                let stable = noise(6 * PAGE, 4);
                let mut canister = Canister::holding(name, &heap, &stable);
                let message = write(offset as u64, &compress(&data));
                canister.update("stable_write_compressed", &message).reply();
                let mut expected = stable;
                let end = offset + data.len();
                if end > expected.len() {
                    expected.resize(end.next_multiple_of(PAGE), 0);
                }
                expected[offset..end].copy_from_slice(&data);
                assert!(canister.stable() == expected && canister.heap() == heap);
            }
        }
    }
}

#[test]
fn a_block_that_is_not_whole_changes_nothing() {
    for name in WRITERS {
        let data = [noise(3_000, 5), vec![1; 3_000], noise(3_000, 5)].concat();
        let whole = compress(&data);
        let (heap, stable) = (noise(PAGE, 6), noise(PAGE, 7));
        let mut canister = Canister::holding(name, &heap, &stable);
        let mut broken = vec![
            vec![],
            vec![0; 3],
            vec![0; 4],
            whole[..whole.len() - 1].to_vec(),
        ];
        for (at, length) in [(0, data.len() - 1), (0, data.len() + 1)] {
            let mut message = whole.clone();
            message[at..at + 4].copy_from_slice(&(length as u32).to_le_bytes());
            broken.push(message);
        }
        broken.push([&whole[..], &[0]].concat());
        // A match before the beginning, and one of distance 0.
        broken.push([&8u32.to_le_bytes()[..], &[0x40, 1, 2, 3, 4, 5, 0, 0x00]].concat());
        broken.push([&8u32.to_le_bytes()[..], &[0x40, 1, 2, 3, 4, 0, 0, 0x00]].concat());
        for message in broken {
            let answer = canister.update("stable_write_compressed", &write(0, &message));
            answer.refused("malformed compressed data");
            assert!(canister.stable() == stable && canister.heap() == heap);
        }
    }
}

#[test]
fn the_output_is_bounded() {
    for name in WRITERS {
        let longest = vec![0; DECOMPRESSED_LEN_MAX_BYTES as usize];
        let mut canister = Canister::fresh(name);
        let message = write(0, &compress(&longest));
        let answer = canister.update("stable_write_compressed", &message);
        println!(
            "{name}: 16 MiB of zeros, {} instructions",
            answer.instructions
        );
        answer.reply();
        assert!(canister.stable() == longest);
        let message = write(0, &compress(&[&longest[..], &[0]].concat()));
        let answer = canister.update("stable_write_compressed", &message);
        answer.refused("decompressed data too long");
    }
}

#[test]
fn the_worst_block_stays_below_a_tenth_of_the_instructions() {
    // Matches of 4 bytes with no literal between them: the most sequences that fit a message.
    let matches = 600_000;
    let mut block = vec![0x80];
    block.extend(noise(8, 8));
    for _ in 0..matches {
        block.extend([8, 0, 0x00]);
    }
    block.extend([8, 0, 0x50, 1, 2, 3, 4, 5]);
    let expected = lz4_flex::block::decompress(&block, 8 + 4 * (matches + 1) + 5).unwrap();
    let message = [&(expected.len() as u32).to_le_bytes()[..], &block].concat();
    let mut canister = Canister::fresh("uploader");
    let answer = canister.update("stable_write_compressed", &write(0, &message));
    println!("600,000 sequences: {} instructions", answer.instructions);
    assert!(answer.instructions < wire::limits::UPDATE_INSTRUCTIONS_MAX / 10);
    answer.reply();
    assert!(canister.stable().starts_with(&expected));
}

/// Cycles charged for an update of `arg_len_bytes` that takes `instructions`, on 13 nodes: reception
/// of an ingress message and of its bytes, execution.
fn update_cycles(arg_len_bytes: usize, instructions: u64) -> u64 {
    1_200_000 + 2_000 * arg_len_bytes as u64 + 5_000_000 + instructions
}

/// Restores an image twice, raw and compressed, and compares what is charged.
fn compare_costs(label: &str, image: &[u8]) {
    let mut raw = Canister::fresh("uploader");
    let mut compressed = Canister::fresh("uploader");
    let (mut raw_cycles, mut compressed_cycles) = (0, 0);
    for (index, chunk) in image.chunks(CHUNK_LEN_BYTES as usize).enumerate() {
        let offset = index as u64 * CHUNK_LEN_BYTES;
        let message = write(offset, chunk);
        let answer = raw.update("stable_write", &message);
        raw_cycles += update_cycles(message.len(), answer.instructions);
        answer.reply();
        let message = write(offset, &compress(chunk));
        let answer = compressed.update("stable_write_compressed", &message);
        compressed_cycles += update_cycles(message.len(), answer.instructions);
        answer.reply();
    }
    println!(
        "{label}: {} bytes, raw {raw_cycles}, compressed {compressed_cycles} cycles",
        image.len()
    );
    assert!(raw.stable() == image && compressed.stable() == image);
    assert!(3 * compressed_cycles < raw_cycles);
}

#[test]
fn a_compressed_restore_of_an_image_of_accounts_costs_less_than_a_third() {
    let mut image = vec![0; 64 * PAGE];
    for (index, slot) in image.chunks_mut(128).enumerate().take(20_000) {
        let record = format!("account-{index:06} owner {:016x} amount", index * 7_919);
        slot[..record.len()].copy_from_slice(record.as_bytes());
        slot[100..108].copy_from_slice(&noise(8, index as u64));
    }
    compare_costs("accounts", &image);
}

#[test]
fn a_compressed_restore_of_each_real_image_costs_less_than_a_third() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    for name in [
        "orbit-station-memory-v1.bin.gz",
        "orbit-upgrader-memory-v0.bin.gz",
    ] {
        let path = folder.join(name);
        let Ok(file) = std::fs::File::open(&path) else {
            println!("left out: {name} is not in the shared data folder");
            continue;
        };
        let mut image = Vec::new();
        flate2::read::GzDecoder::new(file)
            .read_to_end(&mut image)
            .unwrap();
        image.resize(image.len().next_multiple_of(PAGE), 0);
        compare_costs(name, &image);
    }
}
