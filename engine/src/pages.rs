//! A persistent map from page number to 4 KiB page: a radix tree of shared nodes.
//!
//! Cloning is O(1). A write copies the nodes on its path that are shared, so that older clones
//! never change.

use std::sync::Arc;

/// Bytes of a page.
pub(crate) const PAGE_BYTES: usize = 4096;

const FANOUT_BITS: u32 = 9;
const FANOUT: usize = 1 << FANOUT_BITS;

pub(crate) type Page = [u8; PAGE_BYTES];
type Node<T> = [Option<Arc<T>>; FANOUT];
type Leaf = Node<Page>;
type Middle = Node<Leaf>;
type Root = Node<Middle>;

/// Pages 0..2^27, which is 512 GiB.
#[derive(Clone, Debug)]
pub(crate) struct PageTree {
    root: Arc<Root>,
    count: u64,
}

fn slot(index: u64, level: u32) -> usize {
    (index >> (FANOUT_BITS * level)) as usize & (FANOUT - 1)
}

fn empty<T>() -> Arc<Node<T>> {
    Arc::new([const { None }; FANOUT])
}

impl PageTree {
    pub(crate) fn new() -> Self {
        Self {
            root: empty(),
            count: 0,
        }
    }

    /// How many pages there are.
    pub(crate) fn len(&self) -> u64 {
        self.count
    }

    pub(crate) fn get(&self, index: u64) -> Option<&Page> {
        let middle = self.root[slot(index, 2)].as_deref()?;
        let leaf = middle[slot(index, 1)].as_deref()?;
        leaf[slot(index, 0)].as_deref()
    }

    /// The page for writing; a missing one is made by `initial`.
    pub(crate) fn get_mut(&mut self, index: u64, initial: impl FnOnce() -> Page) -> &mut Page {
        let root = Arc::make_mut(&mut self.root);
        let middle = Arc::make_mut(root[slot(index, 2)].get_or_insert_with(empty));
        let leaf = Arc::make_mut(middle[slot(index, 1)].get_or_insert_with(empty));
        let count = &mut self.count;
        Arc::make_mut(leaf[slot(index, 0)].get_or_insert_with(|| {
            *count += 1;
            Arc::new(initial())
        }))
    }

    /// All pages in order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Page)> {
        fn children<T>(node: &Node<T>) -> impl Iterator<Item = (u64, &T)> {
            node.iter()
                .enumerate()
                .filter_map(|(i, child)| Some((i as u64, child.as_deref()?)))
        }
        children(&self.root).flat_map(|(high, middle)| {
            children(middle).flat_map(move |(mid, leaf)| {
                children(leaf).map(move |(low, page)| {
                    (
                        (high << (2 * FANOUT_BITS)) | (mid << FANOUT_BITS) | low,
                        page,
                    )
                })
            })
        })
    }
}
