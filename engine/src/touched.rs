//! Which pages of stable memory a message has read or written.

use std::collections::HashMap;

const PAGES_PER_BLOCK: u64 = 64;

/// Pages of stable memory (4 KiB) a message has touched.
#[derive(Debug, Default)]
pub(crate) struct TouchedPages {
    accessed: Bits,
    written: Bits,
}

#[derive(Debug, Default)]
struct Bits {
    blocks: HashMap<u64, u64>,
    count: u64,
}

impl Bits {
    fn masks(pages: std::ops::Range<u64>) -> impl Iterator<Item = (u64, u64)> {
        let first = pages.start / PAGES_PER_BLOCK;
        let last = pages.end.div_ceil(PAGES_PER_BLOCK);
        (first..last).map(move |block| {
            let from = pages.start.max(block * PAGES_PER_BLOCK) % PAGES_PER_BLOCK;
            let count = pages.end.min((block + 1) * PAGES_PER_BLOCK)
                - pages.start.max(block * PAGES_PER_BLOCK);
            let mask = if count == PAGES_PER_BLOCK {
                u64::MAX
            } else {
                ((1 << count) - 1) << from
            };
            (block, mask)
        })
    }

    fn missing(&self, pages: std::ops::Range<u64>) -> u64 {
        Self::masks(pages)
            .map(|(block, mask)| {
                let present = self.blocks.get(&block).copied().unwrap_or(0);
                u64::from((mask & !present).count_ones())
            })
            .sum()
    }

    fn add(&mut self, pages: std::ops::Range<u64>) {
        for (block, mask) in Self::masks(pages) {
            let present = self.blocks.entry(block).or_default();
            self.count += u64::from((mask & !*present).count_ones());
            *present |= mask;
        }
    }
}

impl TouchedPages {
    /// How many pages of the range were neither read nor written yet, and how many not written.
    pub(crate) fn untouched(&self, pages: std::ops::Range<u64>) -> (u64, u64) {
        (
            self.accessed.missing(pages.clone()),
            self.written.missing(pages),
        )
    }

    pub(crate) fn accessed_count(&self) -> u64 {
        self.accessed.count
    }

    pub(crate) fn written_count(&self) -> u64 {
        self.written.count
    }

    pub(crate) fn read(&mut self, pages: std::ops::Range<u64>) {
        self.accessed.add(pages);
    }

    pub(crate) fn write(&mut self, pages: std::ops::Range<u64>) {
        self.accessed.add(pages.clone());
        self.written.add(pages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn touched_pages_are_a_set(ranges in proptest::collection::vec((0u64..300, 0u64..200, any::<bool>()), 1..20)) {
            let mut touched = TouchedPages::default();
            let (mut accessed, mut written) = (BTreeSet::new(), BTreeSet::new());
            for (start, length, is_write) in ranges {
                let pages = start..start + length;
                let missing = |set: &BTreeSet<u64>| {
                    pages.clone().filter(|page| !set.contains(page)).count() as u64
                };
                prop_assert_eq!(
                    touched.untouched(pages.clone()),
                    (missing(&accessed), missing(&written))
                );
                accessed.extend(pages.clone());
                if is_write {
                    written.extend(pages.clone());
                    touched.write(pages);
                } else {
                    touched.read(pages);
                }
            }
            prop_assert_eq!(touched.accessed_count(), accessed.len() as u64);
            prop_assert_eq!(touched.written_count(), written.len() as u64);
        }
    }
}
