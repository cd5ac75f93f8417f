//! Heap and stable memory as values, compared with plain vectors.

#![allow(clippy::unwrap_used)]

use engine::{Heap, MemoryError, StableMemory};
use proptest::prelude::*;

/// One step on a memory of at most `PAGES` pages.
#[derive(Clone, Debug)]
enum Step {
    Write { offset: usize, bytes: Vec<u8> },
    Grow { pages: u64 },
    Clone,
    Restore,
}

const PAGES: u64 = 5;
const PAGE: usize = 65_536;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let offset = 0..PAGES as usize * PAGE;
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        (0usize..10_000).prop_map(|length| vec![7; length]),
        (0usize..10_000).prop_map(|length| vec![0; length]),
    ];
    let step = prop_oneof![
        6 => (offset, bytes).prop_map(|(offset, bytes)| Step::Write { offset, bytes }),
        1 => (0..3u64).prop_map(|pages| Step::Grow { pages }),
        1 => Just(Step::Clone),
        1 => Just(Step::Restore),
    ];
    proptest::collection::vec(step, 1..40)
}

/// What both kinds of memory can do.
trait Memory: Clone {
    fn read_all(&self) -> Vec<u8>;
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), MemoryError>;
    fn grow_by(&mut self, pages: u64);
    fn pages(&self) -> u64;
}

impl Memory for Heap {
    fn read_all(&self) -> Vec<u8> {
        let mut all = vec![0xAA; self.size_bytes() as usize];
        self.read(0, &mut all).unwrap();
        all
    }
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        self.write(offset, bytes)
    }
    fn grow_by(&mut self, pages: u64) {
        self.grow_to(self.size_pages() + pages).unwrap();
    }
    fn pages(&self) -> u64 {
        self.size_pages()
    }
}

impl Memory for StableMemory {
    fn read_all(&self) -> Vec<u8> {
        let mut all = vec![0xAA; self.size_bytes() as usize];
        self.read(0, &mut all).unwrap();
        all
    }
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        self.write(offset, bytes)
    }
    fn grow_by(&mut self, pages: u64) {
        self.grow(pages).unwrap();
    }
    fn pages(&self) -> u64 {
        self.size_pages()
    }
}

fn compare<M: Memory>(mut memory: M, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut model = vec![0u8; memory.pages() as usize * PAGE];
    let mut kept = (memory.clone(), model.clone());
    for step in steps {
        match step {
            Step::Write { offset, bytes } => {
                let fits = offset + bytes.len() <= model.len();
                let result = memory.write_at(offset as u64, &bytes);
                prop_assert_eq!(result.is_ok(), fits);
                if fits {
                    model[offset..offset + bytes.len()].copy_from_slice(&bytes);
                }
            }
            Step::Grow { pages } => {
                let pages = pages.min(PAGES - memory.pages());
                memory.grow_by(pages);
                model.resize(memory.pages() as usize * PAGE, 0);
            }
            Step::Clone => kept = (memory.clone(), model.clone()),
            Step::Restore => (memory, model) = kept.clone(),
        }
    }
    prop_assert!(memory.read_all() == model);
    prop_assert!(kept.0.read_all() == kept.1);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_heap_is_a_vector_of_bytes(steps in steps()) {
        compare(Heap::zeroed(2).unwrap(), steps)?;
    }

    #[test]
    fn stable_memory_is_a_vector_of_bytes(steps in steps()) {
        compare(StableMemory::zeroed(2).unwrap(), steps)?;
    }
}

#[test]
fn stable_memory_of_64_gib_costs_what_is_written() {
    let pages = 64 << 14;
    let mut memory = StableMemory::zeroed(pages).unwrap();
    let end = memory.size_bytes();
    memory.write(0, b"first").unwrap();
    memory.write(end - 4, b"last").unwrap();
    let snapshot = memory.clone();
    memory.write(end / 2, b"middle").unwrap();
    let mut bytes = [1; 6];
    snapshot.read(end / 2, &mut bytes).unwrap();
    assert_eq!(bytes, [0; 6]);
    memory.read(end / 2, &mut bytes).unwrap();
    assert_eq!(&bytes, b"middle");
    memory.read(end - 6, &mut bytes).unwrap();
    assert_eq!(&bytes, b"\0\0last");
    assert!(memory.write(end - 3, b"over").is_err());
    let written = (0..end / 4096).filter(|page| memory.page_is_written(*page));
    assert_eq!(written.count(), 3);
}

#[test]
fn memories_refuse_to_exceed_their_limits() {
    assert!(StableMemory::zeroed(500 << 14).is_ok());
    assert!(StableMemory::zeroed((500 << 14) + 1).is_err());
    assert!(StableMemory::new().grow(u64::MAX).is_err());
    assert!(Heap::zeroed(6 << 14).is_ok());
    assert!(Heap::zeroed((6 << 14) + 1).is_err());
}

#[test]
fn zeros_written_over_a_hole_leave_the_hole() {
    let mut memory = StableMemory::zeroed(16).unwrap();
    memory.write(0, &[0; 16 * 65_536]).unwrap();
    assert!(!memory.page_is_written(0));
    memory.write(8192, &[1]).unwrap();
    memory.write(8192, &[0]).unwrap();
    assert!(memory.page_is_written(2));
}
