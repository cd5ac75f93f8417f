//! The argument of every write: where, and what, without copying the data.

use downloader::refuse;
use downloader::scratch::{AT, borrow};
use downloader::system::{load8, load16, load64, msg_arg_data_copy, msg_arg_data_size};
use wire::candid::{NAT64_BLOB_HEADER_LEN_MAX_BYTES, NAT64_BLOB_PREFIX};

/// A decoded argument `(nat64, blob)`; the blob's bytes stay in the message.
#[derive(Clone, Copy)]
pub struct Data {
    /// Where the data goes.
    pub offset: u64,
    /// Where the data begins in the argument.
    pub data_at: usize,
    /// Length of the data.
    pub len_bytes: usize,
}

/// Takes an argument `(nat64, blob)`.
#[inline(always)]
pub fn take_write() -> Data {
    let size = msg_arg_data_size();
    let head_len = if size < NAT64_BLOB_HEADER_LEN_MAX_BYTES {
        size
    } else {
        NAT64_BLOB_HEADER_LEN_MAX_BYTES
    };
    borrow::<2, _>(|| {
        const { assert!(NAT64_BLOB_HEADER_LEN_MAX_BYTES <= 32) };
        let [p0, p1, p2, p3, p4, p5, p6, p7, p8, p9] = NAT64_BLOB_PREFIX;
        let mut at = NAT64_BLOB_PREFIX.len() + 8;
        if head_len <= at {
            refuse::malformed_argument();
        }
        msg_arg_data_copy(AT, 0, head_len);
        if load64(AT) != u64::from_le_bytes([p0, p1, p2, p3, p4, p5, p6, p7])
            || load16(AT + 8) != u16::from_le_bytes([p8, p9])
        {
            refuse::malformed_argument();
        }
        let offset = load64(AT + NAT64_BLOB_PREFIX.len());
        let mut announced = 0;
        let mut shift = 0;
        loop {
            if at == head_len {
                refuse::malformed_argument();
            }
            let byte = load8(AT + at);
            at += 1;
            announced |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // A last byte of 0 says nothing: the length is not in its shortest form.
                if byte == 0 && shift > 0 {
                    refuse::malformed_argument();
                }
                break;
            }
            shift += 7;
        }
        let len_bytes = size - at;
        if announced != len_bytes as u64 {
            refuse::malformed_argument();
        }
        Data {
            offset,
            data_at: at,
            len_bytes,
        }
    })
}
