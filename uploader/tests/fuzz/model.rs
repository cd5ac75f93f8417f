//! What the pair has to do, said the slow and obvious way over two vectors.

use crate::exactly::exactly;
use candid::utils::ArgumentEncoder;
use serde_bytes::{ByteBuf, Bytes};
use sha2::{Digest, Sha256};
use wire::limits::{
    DECOMPRESSED_LEN_MAX_BYTES, HEAP64_MAX_BYTES, PAGE_LEN_BYTES, QUERY_REPLY_MAX_BYTES,
};

const PAGE: usize = PAGE_LEN_BYTES as usize;

/// The text of a refusal; `None` where the system refuses in words of its own.
pub type Refusal = Option<&'static str>;

const MALFORMED: Refusal = Some("malformed candid argument");
const OUT_OF_RANGE: Refusal = Some("range lies outside the memory");
const TOO_LONG: Refusal = Some("more than a reply can hold");
const CANNOT_GROW: Refusal = Some("memory cannot grow that far");
const MALFORMED_BLOCK: Refusal = Some("malformed compressed data");

/// Both memories of a canister, and how far they may grow in one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    pub heap: Vec<u8>,
    pub stable: Vec<u8>,
    pub room_pages: usize,
}

impl Model {
    /// Answers a query.
    pub fn query(&self, method: &str, arg: &[u8]) -> Result<Vec<u8>, Refusal> {
        let (memory, what) = match method.split_once('_') {
            Some(("heap", what)) => (&self.heap, what),
            Some((_, what)) => (&self.stable, what),
            None => unreachable!("no such method: {method}"),
        };
        match what {
            "size" => {
                let () = exactly(arg).ok_or(MALFORMED)?;
                Ok(encode((memory.len() as u64,)))
            }
            "read" => {
                let (offset, length): (u64, u64) = exactly(arg).ok_or(MALFORMED)?;
                let end = offset
                    .checked_add(length)
                    .filter(|&end| end <= memory.len() as u64)
                    .ok_or(OUT_OF_RANGE)?;
                Ok(encode(
                    (Bytes::new(&memory[offset as usize..end as usize]),),
                ))
            }
            _ => {
                let (offset, chunk_len_bytes, count) = exactly(arg).ok_or(MALFORMED)?;
                checksums(memory, offset, chunk_len_bytes, count)
            }
        }
    }

    /// Answers an update, and changes what it changes.
    pub fn update(&mut self, method: &str, arg: &[u8]) -> Result<Vec<u8>, Refusal> {
        // An update needs memory; what it takes of an empty heap it leaves zero.
        let (mut heap_pages, mut room_pages) = (self.heap.len() / PAGE, self.room_pages);
        grow(&mut heap_pages, 1, &mut room_pages).ok_or(None)?;
        let (offset, data): (u64, ByteBuf) = exactly(arg).ok_or(MALFORMED)?;
        let end = |len: u64| offset.checked_add(len).ok_or(CANNOT_GROW);
        if method == "heap_write" {
            let end = end(data.len() as u64)?;
            // Beyond the address space the module refuses, below it the system does.
            let refusal = if end > HEAP64_MAX_BYTES {
                CANNOT_GROW
            } else {
                None
            };
            grow(&mut heap_pages, end, &mut room_pages).ok_or(refusal)?;
            self.heap.resize(heap_pages * PAGE, 0);
            self.heap[offset as usize..end as usize].copy_from_slice(&data);
        } else {
            let compressed = method == "stable_write_compressed";
            let len_bytes = if compressed {
                announced(&data)?
            } else {
                data.len() as u64
            };
            let end = end(len_bytes)?;
            let mut stable_pages = self.stable.len() / PAGE;
            grow(&mut stable_pages, end, &mut room_pages).ok_or(CANNOT_GROW)?;
            let data = if compressed {
                lz4_flex::block::decompress(&data[4..], len_bytes as usize)
                    .ok()
                    .filter(|data| data.len() as u64 == len_bytes)
                    .ok_or(MALFORMED_BLOCK)?
            } else {
                data.into_vec()
            };
            self.heap.resize(heap_pages * PAGE, 0);
            self.stable.resize(stable_pages * PAGE, 0);
            self.stable[offset as usize..end as usize].copy_from_slice(&data);
        }
        Ok(encode(()))
    }
}

/// Digests of `count` consecutive chunks.
fn checksums(
    memory: &[u8],
    offset: u64,
    chunk_len_bytes: u64,
    count: u64,
) -> Result<Vec<u8>, Refusal> {
    if chunk_len_bytes == 0 {
        return Err(Some("chunk length must not be 0"));
    }
    if count > QUERY_REPLY_MAX_BYTES / 32 {
        return Err(TOO_LONG);
    }
    let offset = usize::try_from(offset).map_err(|_| OUT_OF_RANGE)?;
    let rest = memory.get(offset..).ok_or(OUT_OF_RANGE)?;
    if (rest.len() as u64).div_ceil(chunk_len_bytes) < count {
        return Err(OUT_OF_RANGE);
    }
    let digests: Vec<u8> = rest
        .chunks(chunk_len_bytes as usize)
        .take(count as usize)
        .flat_map(|chunk| Sha256::digest(chunk).to_vec())
        .collect();
    Ok(encode((Bytes::new(&digests),)))
}

/// What compressed data says that it decompresses to.
fn announced(data: &[u8]) -> Result<u64, Refusal> {
    let length = data.first_chunk().ok_or(MALFORMED_BLOCK)?;
    let length = u64::from(u32::from_le_bytes(*length));
    if length > DECOMPRESSED_LEN_MAX_BYTES {
        return Err(Some("decompressed data too long"));
    }
    Ok(length)
}

/// Makes a memory of so many pages hold `end` bytes, if there is room.
fn grow(pages: &mut usize, end: u64, room_pages: &mut usize) -> Option<()> {
    let needed = usize::try_from(end.div_ceil(PAGE_LEN_BYTES)).ok()?;
    let missing = needed.saturating_sub(*pages);
    *room_pages = room_pages.checked_sub(missing)?;
    *pages += missing;
    Some(())
}

fn encode(value: impl ArgumentEncoder) -> Vec<u8> {
    candid::encode_args(value).unwrap()
}
