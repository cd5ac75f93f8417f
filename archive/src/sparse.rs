//! Sparse image files: holes are found without reading them and made without writing zeros.

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Zero runs of this length are left as holes: the block size of common file systems, in bytes.
pub const BLOCK_LEN_BYTES: usize = 4096;

/// Walks a file from front to back and tells holes from data.
#[derive(Debug)]
pub struct HoleFinder<'a> {
    file: &'a File,
    /// Everything from the last asked offset up to here is known to be a hole.
    next_data: Option<u64>,
}

impl<'a> HoleFinder<'a> {
    /// Starts at the front of `file`.
    pub fn new(file: &'a File) -> Self {
        Self {
            file,
            next_data: None,
        }
    }

    /// Whether `offset .. offset + len_bytes` is one hole. Offsets must be asked in rising order.
    /// A file system that cannot tell answers no.
    pub fn is_hole(&mut self, offset: u64, len_bytes: u64) -> bool {
        let known = self.next_data.filter(|next| *next >= offset);
        let next = known.unwrap_or_else(|| match seek(self.file, SeekFrom::Data(offset)) {
            Ok(next) => next,
            Err(rustix::io::Errno::NXIO) => u64::MAX,
            Err(_) => offset,
        });
        self.next_data = Some(next);
        next >= offset + len_bytes
    }
}

/// Writes `data` at `offset`, zero blocks as holes. With `over_data`, blocks that may hold old data are
/// punched out; without, they are known to be holes and left alone.
///
/// # Errors
/// What the system answered.
pub fn write_sparse(file: &File, offset: u64, data: &[u8], over_data: bool) -> io::Result<()> {
    let mut start = 0;
    while start < data.len() {
        let zero = is_zero_block(data, start);
        let mut end = start;
        while end < data.len() && is_zero_block(data, end) == zero {
            end = (end + BLOCK_LEN_BYTES).min(data.len());
        }
        if !zero {
            file.write_all_at(&data[start..end], offset + start as u64)?;
        } else if over_data {
            zero_range(file, offset + start as u64, (end - start) as u64)?;
        }
        start = end;
    }
    Ok(())
}

/// Makes a range read as zeros, giving its space back where the file system can.
///
/// # Errors
/// What the system answered.
pub fn zero_range(file: &File, offset: u64, len_bytes: u64) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match fallocate(file, flags, offset, len_bytes) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
            static ZEROS: [u8; 65536] = [0; 65536];
            let mut done = 0;
            while done < len_bytes {
                let step = (len_bytes - done).min(ZEROS.len() as u64);
                file.write_all_at(&ZEROS[..step as usize], offset + done)?;
                done += step;
            }
            Ok(())
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Whether `data` is all zeros.
pub fn is_zero(data: &[u8]) -> bool {
    let (words, rest) = data.as_chunks::<16>();
    words.iter().all(|word| u128::from_ne_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}

fn is_zero_block(data: &[u8], start: usize) -> bool {
    is_zero(&data[start..data.len().min(start + BLOCK_LEN_BYTES)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    const MIB: usize = 1 << 20;

    #[test]
    fn zero_blocks_take_no_space() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8 * MIB as u64).unwrap();
        let mut data = vec![0; 2 * MIB];
        data[MIB] = 1;
        write_sparse(&file, MIB as u64, &data, false).unwrap();
        assert!(file.metadata().unwrap().blocks() * 512 <= 64 * 1024);
        let mut byte = [0];
        file.read_exact_at(&mut byte, 2 * MIB as u64).unwrap();
        assert_eq!(byte, [1]);
    }

    #[test]
    fn holes_are_found_in_order() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4 * MIB as u64).unwrap();
        file.write_all_at(&[1], 2 * MIB as u64).unwrap();
        let mut holes = HoleFinder::new(&file);
        let found: Vec<bool> = (0..4)
            .map(|n| holes.is_hole(n * MIB as u64, MIB as u64))
            .collect();
        assert_eq!(found, [true, true, false, true]);
    }

    #[test]
    fn old_data_is_overwritten_by_zeros() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[9; 3 * BLOCK_LEN_BYTES], 0).unwrap();
        let mut data = vec![0; 3 * BLOCK_LEN_BYTES];
        data[BLOCK_LEN_BYTES] = 5;
        write_sparse(&file, 0, &data, true).unwrap();
        let mut found = vec![1; data.len()];
        file.read_exact_at(&mut found, 0).unwrap();
        assert!(found == data);
    }
}
