//! Which pages of a mapped heap were written: asked of the kernel.

use crate::image::Image;
use crate::mapping::Mapping;
use crate::memory_error::MemoryError;
use crate::pages::PAGE_BYTES;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock};

const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const FILE: u64 = 1 << 61;
const MAPPED_ONCE: u64 = 1 << 56;
const ENTRY_BYTES: usize = 8;
/// Entries read at a time.
const ENTRIES_AT_ONCE: usize = 1 << 16;

/// Numbers of the 4 KiB pages of `memory` that were written since it was mapped, ascending.
///
/// `memory` is the accessible part of a [`Mapping`] of `image`. The kernel's page table tells: a
/// page that was only read belongs to the file or is the zero page all processes share, a
/// written one is this mapping's own. Where the page table cannot be read, every page that
/// differs from the image counts.
pub(crate) fn written_pages(image: &Image, memory: &[u8]) -> Result<Vec<u64>, MemoryError> {
    match pagemap() {
        Some(pagemap) => scan(pagemap, memory).map_err(|source| MemoryError::System {
            action: "read the page map",
            source,
        }),
        None => compare(image, memory),
    }
}

fn scan(pagemap: &File, memory: &[u8]) -> std::io::Result<Vec<u64>> {
    let mut written = Vec::new();
    let first = memory.as_ptr() as usize / PAGE_BYTES;
    let count = memory.len() / PAGE_BYTES;
    let mut entries = vec![0; ENTRY_BYTES * count.min(ENTRIES_AT_ONCE)];
    let mut done = 0;
    while done < count {
        let part = (count - done).min(ENTRIES_AT_ONCE);
        let bytes = &mut entries[..part * ENTRY_BYTES];
        pagemap.read_exact_at(bytes, ((first + done) * ENTRY_BYTES) as u64)?;
        for (i, entry) in bytes.chunks_exact(ENTRY_BYTES).enumerate() {
            let entry = u64::from_le_bytes(entry.try_into().expect("BUG: entries are 8 bytes"));
            let start = (done + i) * PAGE_BYTES;
            if is_written(entry, || &memory[start..start + PAGE_BYTES]) {
                written.push((done + i) as u64);
            }
        }
        done += part;
    }
    Ok(written)
}

fn is_written<'a>(entry: u64, page: impl FnOnce() -> &'a [u8]) -> bool {
    if entry & SWAPPED != 0 {
        // Only written pages are swapped out: the others can be had from their file.
        return true;
    }
    if entry & PRESENT == 0 || entry & FILE != 0 {
        return false;
    }
    // Not mapped once: the zero page, or a page that a fork shares for a moment.
    entry & MAPPED_ONCE != 0 || page().iter().any(|&byte| byte != 0)
}

fn compare(image: &Image, memory: &[u8]) -> Result<Vec<u64>, MemoryError> {
    let mut written = Vec::new();
    let mut original = [0; PAGE_BYTES];
    for (index, page) in memory.chunks_exact(PAGE_BYTES).enumerate() {
        image.read((index * PAGE_BYTES) as u64, &mut original)?;
        if page != original {
            written.push(index as u64);
        }
    }
    Ok(written)
}

/// The page map of this process, if the system tells the truth in it.
fn pagemap() -> Option<&'static File> {
    static PAGEMAP: OnceLock<Option<File>> = OnceLock::new();
    PAGEMAP
        .get_or_init(|| {
            let file = File::open("/proc/self/pagemap").ok()?;
            is_truthful(&file).unwrap_or(false).then_some(file)
        })
        .as_ref()
}

/// Reads and writes pages of a small mapping, with and without data in its image, and looks
/// whether the page map agrees.
fn is_truthful(pagemap: &File) -> Result<bool, MemoryError> {
    let mut image = Image::new()?;
    image.write(0, &[1; 2 * PAGE_BYTES])?;
    let mut mapping = Mapping::new(Arc::new(image), 5 * PAGE_BYTES, 8 * PAGE_BYTES)?;
    let memory = mapping.bytes_mut();
    let read = |memory: &[u8], page: usize| std::hint::black_box(memory[page * PAGE_BYTES]);
    memory[PAGE_BYTES] = read(memory, 0);
    memory[3 * PAGE_BYTES] = read(memory, 2);
    std::hint::black_box(&*memory);
    Ok(scan(pagemap, memory).is_ok_and(|pages| pages == [1, 3]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image of one page of ones, mapped with three more, and what is done to it.
    fn touched(act: impl FnOnce(&mut [u8])) -> (Arc<Image>, Mapping) {
        let mut image = Image::new().unwrap();
        image.write(0, &[1; PAGE_BYTES]).unwrap();
        let image = Arc::new(image);
        let mut mapping = Mapping::new(image.clone(), 4 * PAGE_BYTES, 8 * PAGE_BYTES).unwrap();
        act(mapping.bytes_mut());
        (image, mapping)
    }

    #[test]
    fn comparing_finds_the_pages_that_changed() {
        let (image, mut mapping) = touched(|memory| {
            memory[0] = 2;
            memory[PAGE_BYTES] = 0;
            memory[2 * PAGE_BYTES + 5] = 3;
        });
        assert_eq!(compare(&image, mapping.bytes_mut()).unwrap(), [0, 2]);
    }

    #[test]
    fn a_page_written_with_what_it_held_counts_when_the_kernel_tells() {
        let (_, mut mapping) = touched(|memory| {
            memory[0] = 1;
            memory[PAGE_BYTES] = 0;
            std::hint::black_box(memory[2 * PAGE_BYTES]);
        });
        if let Some(pagemap) = pagemap() {
            assert_eq!(scan(pagemap, mapping.bytes_mut()).unwrap(), [0, 1]);
        }
    }
}
