//! What the pair has to do, said the slow and obvious way over two vectors.

use crate::harness::Canister;
use candid::utils::{ArgumentDecoder, ArgumentEncoder};
use sha2::{Digest, Sha256};
use wire::limits::{DECOMPRESSED_LEN_MAX_BYTES, PAGE_LEN_BYTES, QUERY_REPLY_MAX_BYTES};

const PAGE: usize = PAGE_LEN_BYTES as usize;

/// The text of a refusal; `None` where the system refuses in words of its own.
pub type Refusal = Option<&'static str>;

/// Both memories of a canister, and how far they may grow in one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    pub heap: Vec<u8>,
    pub stable: Vec<u8>,
    pub room_pages: usize,
}

impl Model {
    /// Whether a canister holds the same.
    pub fn agrees_with(&self, canister: &Canister) -> bool {
        canister.heap() == self.heap && canister.stable() == self.stable
    }

    /// Answers a query.
    pub fn query(&self, method: &str, arg: &[u8]) -> Result<Vec<u8>, Refusal> {
        let (memory, what) = match method.split_once('_') {
            Some(("heap", what)) => (&self.heap, what),
            Some((_, what)) => (&self.stable, what),
            None => unreachable!("no such method: {method}"),
        };
        match what {
            "size" => {
                let () = decode(arg)?;
                Ok(encode((memory.len() as u64,)))
            }
            "read" => {
                let (offset, length): (u64, u64) = decode(arg)?;
                let end = offset
                    .checked_add(length)
                    .filter(|&end| end <= memory.len() as u64);
                let end = end.ok_or(Some("range lies outside the memory"))?;
                Ok(encode((&memory[offset as usize..end as usize],)))
            }
            _ => {
                let (offset, chunk_len_bytes, count): (u64, u64, u64) = decode(arg)?;
                if chunk_len_bytes == 0 {
                    return Err(Some("chunk length must not be 0"));
                }
                if count > QUERY_REPLY_MAX_BYTES / 32 {
                    return Err(Some("more than a reply can hold"));
                }
                let rest = usize::try_from(offset)
                    .ok()
                    .and_then(|offset| memory.get(offset..));
                let rest = rest.ok_or(Some("range lies outside the memory"))?;
                let chunks: Vec<_> = rest
                    .chunks(chunk_len_bytes as usize)
                    .take(count as usize)
                    .collect();
                if (chunks.len() as u64) < count {
                    return Err(Some("range lies outside the memory"));
                }
                let digests: Vec<u8> = chunks
                    .into_iter()
                    .flat_map(|chunk| Sha256::digest(chunk).to_vec())
                    .collect();
                Ok(encode((&digests[..],)))
            }
        }
    }

    /// Answers an update, and changes what it changes.
    pub fn update(&mut self, method: &str, arg: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut after = self.clone();
        // An update needs memory; what it takes of an empty heap it leaves zero.
        after.grow_heap(1)?;
        let (offset, data): (u64, Vec<u8>) = decode(arg)?;
        let grown = Some("memory cannot grow that far");
        let end = |len: usize| offset.checked_add(len as u64).ok_or(grown);
        match method {
            "heap_write" => {
                let end = end(data.len())?;
                // Beyond the address space the module refuses, below it the system does.
                let limit = if end > 6 << 30 { grown } else { None };
                after
                    .grow_heap(usize::try_from(end).map_err(|_| limit)?)
                    .map_err(|_| None)?;
                after.heap[offset as usize..end as usize].copy_from_slice(&data);
            }
            "stable_write" => after.put(offset, end(data.len())?, &data)?,
            _ => {
                let malformed = Some("malformed compressed data");
                let (length, block) = data.split_first_chunk().ok_or(malformed)?;
                let length = u32::from_le_bytes(*length) as usize;
                if length as u64 > DECOMPRESSED_LEN_MAX_BYTES {
                    return Err(Some("decompressed data too long"));
                }
                let end = end(length)?;
                after.clone().put(offset, end, &vec![0; length])?;
                let data = lz4_flex::block::decompress(block, length).map_err(|_| malformed)?;
                if data.len() != length {
                    return Err(malformed);
                }
                after.put(offset, end, &data)?;
            }
        }
        after.room_pages = self.room_pages;
        *self = after;
        Ok(encode(()))
    }

    fn put(&mut self, offset: u64, end: u64, data: &[u8]) -> Result<(), Refusal> {
        let pages = end.div_ceil(PAGE_LEN_BYTES);
        let missing = pages.saturating_sub((self.stable.len() / PAGE) as u64);
        if missing > self.room_pages as u64 {
            return Err(Some("memory cannot grow that far"));
        }
        self.room_pages -= missing as usize;
        self.stable
            .resize(self.stable.len() + missing as usize * PAGE, 0);
        self.stable[offset as usize..end as usize].copy_from_slice(data);
        Ok(())
    }

    fn grow_heap(&mut self, len_bytes: usize) -> Result<(), Refusal> {
        let missing = len_bytes
            .div_ceil(PAGE)
            .saturating_sub(self.heap.len() / PAGE);
        self.room_pages = self.room_pages.checked_sub(missing).ok_or(None)?;
        self.heap.resize(self.heap.len() + missing * PAGE, 0);
        Ok(())
    }
}

/// Decodes what the candid crate's encoder makes, and nothing else.
fn decode<T>(arg: &[u8]) -> Result<T, Refusal>
where
    T: for<'a> ArgumentDecoder<'a> + ArgumentEncoder + Clone,
{
    let malformed = Some("malformed candid argument");
    let value: T = candid::decode_args(arg).map_err(|_| malformed)?;
    if encode(value.clone()) == arg {
        Ok(value)
    } else {
        Err(malformed)
    }
}

fn encode(value: impl ArgumentEncoder) -> Vec<u8> {
    candid::encode_args(value).unwrap()
}
