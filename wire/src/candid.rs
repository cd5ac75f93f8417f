//! The candid bytes of the pair's signatures, encoded and decoded without a type table reader.
//!
//! The signatures are few and fixed, so every message starts with fixed bytes and a decoder only
//! has to compare. What standard encoders produce for exactly these types is accepted and nothing
//! else: no subtypes, no other type tables, no over-long lengths, no bytes behind the end.
//!
//! ```text
//! "DIDL"  types            args          values
//! 44..4c  00               00                                          ()
//! 44..4c  00               01 78         u64                           (nat64)
//! 44..4c  00               02 78 78      u64 u64                       (nat64, nat64)
//! 44..4c  00               03 78 78 78   u64 u64 u64                   (nat64, nat64, nat64)
//! 44..4c  01 6d 7b         02 78 00      u64 leb128(length) bytes      (nat64, blob)
//! 44..4c  01 6d 7b         01 00         leb128(length) bytes          (blob)
//! ```
//!
//! Numbers are little-endian; a blob is `vec nat8`, type 0 of the table.

/// `()`, whole.
pub const UNIT: [u8; 6] = *b"DIDL\x00\x00";
/// What comes before the value of `(nat64)`.
pub const NAT64_PREFIX: [u8; 7] = *b"DIDL\x00\x01\x78";
/// What comes before the values of `(nat64, nat64)`.
pub const NAT64_PAIR_PREFIX: [u8; 8] = *b"DIDL\x00\x02\x78\x78";
/// What comes before the values of `(nat64, nat64, nat64)`.
pub const NAT64_TRIPLE_PREFIX: [u8; 9] = *b"DIDL\x00\x03\x78\x78\x78";
/// What comes before the values of `(nat64, blob)`.
pub const NAT64_BLOB_PREFIX: [u8; 10] = *b"DIDL\x01\x6d\x7b\x02\x78\x00";
/// What comes before the length of `(blob)`.
pub const BLOB_PREFIX: [u8; 9] = *b"DIDL\x01\x6d\x7b\x01\x00";

/// Length of `(nat64)`.
pub const NAT64_LEN_BYTES: usize = NAT64_PREFIX.len() + 8;
/// Length of `(nat64, nat64)`.
pub const NAT64_PAIR_LEN_BYTES: usize = NAT64_PAIR_PREFIX.len() + 16;
/// Length of `(nat64, nat64, nat64)`.
pub const NAT64_TRIPLE_LEN_BYTES: usize = NAT64_TRIPLE_PREFIX.len() + 24;
/// LEB128 of a length below 2^35, far above every payload limit.
pub const LENGTH_LEN_MAX_BYTES: usize = 5;
/// Longest header of `(blob)`: everything before the blob's own bytes.
pub const BLOB_HEADER_LEN_MAX_BYTES: usize = BLOB_PREFIX.len() + LENGTH_LEN_MAX_BYTES;
/// Longest header of `(nat64, blob)`: everything before the blob's own bytes.
pub const NAT64_BLOB_HEADER_LEN_MAX_BYTES: usize =
    NAT64_BLOB_PREFIX.len() + 8 + LENGTH_LEN_MAX_BYTES;
/// Longest blob that a header of this module announces.
pub const BLOB_LEN_MAX_BYTES: u64 = u32::MAX as u64;

/// The bytes are not what a standard encoder produces for the type in question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("malformed candid: not the bytes a standard encoder makes for this signature")
    }
}

impl core::error::Error for Malformed {}

/// Everything that comes before the bytes of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobHeader {
    bytes: [u8; NAT64_BLOB_HEADER_LEN_MAX_BYTES],
    len_bytes: usize,
}

impl BlobHeader {
    /// The bytes to send before the blob's own.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len_bytes]
    }

    const EMPTY: Self = Self {
        bytes: [0; NAT64_BLOB_HEADER_LEN_MAX_BYTES],
        len_bytes: 0,
    };

    fn push(&mut self, part: &[u8]) {
        let end = self.len_bytes + part.len();
        self.bytes[self.len_bytes..end].copy_from_slice(part);
        self.len_bytes = end;
    }

    fn push_length(&mut self, length: u32) {
        let mut rest = length;
        while rest >= 0x80 {
            self.push(&[(rest & 0x7f) as u8 | 0x80]);
            rest >>= 7;
        }
        self.push(&[rest as u8]);
    }
}

/// Header of a reply `(blob)` of `len_bytes`; `None` above [`BLOB_LEN_MAX_BYTES`].
#[must_use]
pub fn blob_header(len_bytes: u64) -> Option<BlobHeader> {
    let length = u32::try_from(len_bytes).ok()?;
    let mut header = BlobHeader::EMPTY;
    header.push(&BLOB_PREFIX);
    header.push_length(length);
    Some(header)
}

/// Header of an argument `(nat64, blob)` with `len_bytes` of data; `None` above
/// [`BLOB_LEN_MAX_BYTES`].
#[must_use]
pub fn nat64_blob_header(number: u64, len_bytes: u64) -> Option<BlobHeader> {
    let length = u32::try_from(len_bytes).ok()?;
    let mut header = BlobHeader::EMPTY;
    header.push(&NAT64_BLOB_PREFIX);
    header.push(&number.to_le_bytes());
    header.push_length(length);
    Some(header)
}

/// `(nat64)`.
#[must_use]
pub fn encode_nat64(number: u64) -> [u8; NAT64_LEN_BYTES] {
    let mut bytes = [0; NAT64_LEN_BYTES];
    fill(&mut bytes, &NAT64_PREFIX, &[number]);
    bytes
}

/// `(nat64, nat64)`.
#[must_use]
pub fn encode_nat64_pair(first: u64, second: u64) -> [u8; NAT64_PAIR_LEN_BYTES] {
    let mut bytes = [0; NAT64_PAIR_LEN_BYTES];
    fill(&mut bytes, &NAT64_PAIR_PREFIX, &[first, second]);
    bytes
}

/// `(nat64, nat64, nat64)`.
#[must_use]
pub fn encode_nat64_triple(first: u64, second: u64, third: u64) -> [u8; NAT64_TRIPLE_LEN_BYTES] {
    let mut bytes = [0; NAT64_TRIPLE_LEN_BYTES];
    fill(&mut bytes, &NAT64_TRIPLE_PREFIX, &[first, second, third]);
    bytes
}

/// Accepts `()`.
///
/// # Errors
/// [`Malformed`] for any other bytes.
pub fn decode_unit(bytes: &[u8]) -> Result<(), Malformed> {
    if bytes == UNIT {
        Ok(())
    } else {
        Err(Malformed)
    }
}

/// The number in `(nat64)`.
///
/// # Errors
/// [`Malformed`] for any other bytes.
pub fn decode_nat64(bytes: &[u8]) -> Result<u64, Malformed> {
    let [number] = numbers(bytes, &NAT64_PREFIX)?;
    Ok(number)
}

/// The numbers in `(nat64, nat64)`.
///
/// # Errors
/// [`Malformed`] for any other bytes.
pub fn decode_nat64_pair(bytes: &[u8]) -> Result<(u64, u64), Malformed> {
    let [first, second] = numbers(bytes, &NAT64_PAIR_PREFIX)?;
    Ok((first, second))
}

/// The numbers in `(nat64, nat64, nat64)`.
///
/// # Errors
/// [`Malformed`] for any other bytes.
pub fn decode_nat64_triple(bytes: &[u8]) -> Result<(u64, u64, u64), Malformed> {
    let [first, second, third] = numbers(bytes, &NAT64_TRIPLE_PREFIX)?;
    Ok((first, second, third))
}

/// The number and the data in `(nat64, blob)`.
///
/// # Errors
/// [`Malformed`] for any other bytes.
pub fn decode_nat64_blob(bytes: &[u8]) -> Result<(u64, &[u8]), Malformed> {
    let rest = bytes.strip_prefix(&NAT64_BLOB_PREFIX).ok_or(Malformed)?;
    let (number, rest) = rest.split_first_chunk().ok_or(Malformed)?;
    Ok((u64::from_le_bytes(*number), decode_sized(rest)?))
}

/// The data in `(blob)`.
///
/// # Errors
/// [`Malformed`] for any other bytes.
pub fn decode_blob(bytes: &[u8]) -> Result<&[u8], Malformed> {
    decode_sized(bytes.strip_prefix(&BLOB_PREFIX).ok_or(Malformed)?)
}

fn fill(bytes: &mut [u8], prefix: &[u8], numbers: &[u64]) {
    let (head, tail) = bytes.split_at_mut(prefix.len());
    head.copy_from_slice(prefix);
    for (place, number) in tail.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
}

fn numbers<const N: usize>(bytes: &[u8], prefix: &[u8]) -> Result<[u64; N], Malformed> {
    let mut rest = bytes.strip_prefix(prefix).ok_or(Malformed)?;
    let mut numbers = [0; N];
    for number in &mut numbers {
        let (value, behind) = rest.split_first_chunk().ok_or(Malformed)?;
        *number = u64::from_le_bytes(*value);
        rest = behind;
    }
    if rest.is_empty() {
        Ok(numbers)
    } else {
        Err(Malformed)
    }
}

/// A LEB128 length in its shortest form, followed by exactly so many bytes.
fn decode_sized(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let mut length = 0u64;
    for (index, &byte) in bytes.iter().take(LENGTH_LEN_MAX_BYTES).enumerate() {
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            if byte == 0 && index > 0 {
                return Err(Malformed);
            }
            let data = &bytes[index + 1..];
            return if data.len() as u64 == length {
                Ok(data)
            } else {
                Err(Malformed)
            };
        }
    }
    Err(Malformed)
}
