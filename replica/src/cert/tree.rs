//! A part of the state tree, as labels and leaves, and its hash tree.

use ic_certification::hash_tree::{HashTree, empty, fork, label, leaf};
use std::collections::BTreeMap;

/// The part of a subnet's state that one certificate covers.
///
/// Labels are sorted bytes, as the specification asks; the hash tree is built balanced, so a path of a tree with n
/// siblings costs log2(n) forks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateTree {
    children: BTreeMap<Vec<u8>, Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Leaf(Vec<u8>),
    Tree(StateTree),
}

impl StateTree {
    /// A tree without labels.
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree that holds only `/time`.
    pub fn at_time(time_ns: u64) -> Self {
        let mut tree = Self::new();
        tree.insert(&[b"time"], leb128(time_ns));
        tree
    }

    /// Puts a leaf at `path`, replacing what was there. An empty path is ignored: the root is no leaf.
    pub fn insert(&mut self, path: &[&[u8]], value: Vec<u8>) {
        match path {
            [] => {}
            [last] => {
                self.children.insert(last.to_vec(), Node::Leaf(value));
            }
            [first, rest @ ..] => self.subtree(first).insert(rest, value),
        }
    }

    /// Puts a number at `path`, LEB128 encoded as all numbers in the state tree.
    pub fn insert_number(&mut self, path: &[&[u8]], value: u64) {
        self.insert(path, leb128(value));
    }

    fn subtree(&mut self, label: &[u8]) -> &mut StateTree {
        let node = self
            .children
            .entry(label.to_vec())
            .or_insert_with(|| Node::Tree(StateTree::new()));
        if let Node::Leaf(_) = node {
            *node = Node::Tree(StateTree::new());
        }
        match node {
            Node::Tree(tree) => tree,
            Node::Leaf(_) => unreachable!("BUG: a leaf was just replaced by a tree"),
        }
    }

    /// The hash tree of everything inserted, nothing pruned.
    pub fn to_hash_tree(&self) -> HashTree<Vec<u8>> {
        let labeled: Vec<HashTree<Vec<u8>>> = self
            .children
            .iter()
            .map(|(name, node)| {
                let content = match node {
                    Node::Leaf(value) => leaf(value.clone()),
                    Node::Tree(tree) => tree.to_hash_tree(),
                };
                label(name.clone(), content)
            })
            .collect();
        balance(labeled)
    }
}

/// Joins neighbours until one tree is left; the order of the labels stays.
fn balance(mut row: Vec<HashTree<Vec<u8>>>) -> HashTree<Vec<u8>> {
    while row.len() > 1 {
        let mut pairs = row.into_iter();
        let mut next = Vec::with_capacity(pairs.len().div_ceil(2));
        while let Some(left) = pairs.next() {
            next.push(match pairs.next() {
                Some(right) => fork(left, right),
                None => left,
            });
        }
        row = next;
    }
    row.pop().unwrap_or_else(empty)
}

/// Unsigned LEB128.
fn leb128(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ic_certification::LookupResult;

    #[test]
    fn leaves_are_found_and_missing_labels_are_proved_absent() {
        let mut tree = StateTree::at_time(300);
        for name in [&b"a"[..], b"b", b"c", b"e"] {
            tree.insert(&[b"canister", name], name.to_vec());
        }
        let hashed = tree.to_hash_tree();
        assert_eq!(
            hashed.lookup_path([b"time"]),
            LookupResult::Found(&[0xac, 0x02])
        );
        assert_eq!(
            hashed.lookup_path([&b"canister"[..], b"c"]),
            LookupResult::Found(b"c")
        );
        assert_eq!(
            hashed.lookup_path([&b"canister"[..], b"d"]),
            LookupResult::Absent
        );
        assert_eq!(
            hashed.lookup_path([&b"canister"[..], b"f"]),
            LookupResult::Absent
        );
        assert_eq!(
            hashed.lookup_path([&b"subnet"[..], b"x"]),
            LookupResult::Absent
        );
    }

    #[test]
    fn numbers_are_leb128() {
        assert_eq!(leb128(0), [0]);
        assert_eq!(leb128(127), [0x7f]);
        assert_eq!(leb128(624_485), [0xe5, 0x8e, 0x26]);
        assert_eq!(leb128(u64::MAX).len(), 10);
    }

    #[test]
    fn an_empty_tree_has_a_digest() {
        assert_eq!(
            StateTree::new().to_hash_tree().digest(),
            empty::<Vec<u8>>().digest()
        );
    }
}
