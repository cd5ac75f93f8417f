//! Certified data: one hash tree, whose digest the subnet signs.
//!
//! ```text
//! certified data = digest of
//!   ├─ "http_expr"       ── the pages, as version 2 of the gateway protocol has them
//!   └─ "ic-rescue roots" ── <case, 8 bytes big-endian> ─┬─ "heap"   ── statement text
//!                                                       └─ "stable" ── statement text
//! ```
//!
//! The tree lives in the heap. It is built from the stored cases when the module is installed or
//! upgraded, and follows every case that changes; nothing is certified that is not stored.

use std::cell::RefCell;

use ic_certification::{
    AsHashTree, HashTree, RbTree, fork, fork_hash, labeled, labeled_hash, pruned,
};
use ic_http_certification::{HttpCertificationTree, HttpCertificationTreeEntry};
use rescue_api::RootStatement;
use serde::Serialize;

use crate::case::model::{Case, CaseId, Memory};
use crate::view;

const ROOTS_LABEL: &[u8] = RootStatement::TREE_LABEL.as_bytes();

type Statements = RbTree<Vec<u8>, Vec<u8>>;

/// The tree.
#[derive(Default)]
pub struct Tree {
    roots: RbTree<Vec<u8>, Statements>,
    pages: HttpCertificationTree,
}

thread_local! {
    static TREE: RefCell<Tree> = RefCell::new(Tree::default());
}

impl Tree {
    /// Takes over what a case has on record.
    pub fn put_case(&mut self, case: &Case) {
        let mut entries = Statements::new();
        for statement in statements(case) {
            entries.insert(
                statement.memory.name().as_bytes().to_vec(),
                statement.to_text().into_bytes(),
            );
        }
        let label = RootStatement::case_label(case.id);
        if entries.is_empty() {
            self.roots.delete(&label);
        } else {
            self.roots.insert(label.to_vec(), entries);
        }
    }

    /// Drops a case.
    pub fn remove_case(&mut self, case: CaseId) {
        self.roots.delete(&RootStatement::case_label(case));
    }

    /// Takes over the pages; earlier ones are certified no more.
    pub fn put_pages<'a>(&mut self, entries: impl Iterator<Item = HttpCertificationTreeEntry<'a>>) {
        self.pages.clear();
        for entry in entries {
            self.pages.insert(&entry);
        }
    }

    /// What the canister certifies.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        fork_hash(
            &self.pages.root_hash(),
            &labeled_hash(ROOTS_LABEL, &self.roots.root_hash()),
        )
    }

    /// The part of the tree that proves what a case has on record, or that it has nothing.
    #[must_use]
    pub fn roots_witness(&self, case: CaseId) -> HashTree {
        let label = RootStatement::case_label(case);
        let proof = self
            .roots
            .nested_witness(&label, |entries| entries.as_hash_tree());
        fork(pruned(self.pages.root_hash()), labeled(ROOTS_LABEL, proof))
    }

    /// The part of the tree that proves a page, as the answer to a path.
    #[must_use]
    pub fn page_witness(&self, entry: &HttpCertificationTreeEntry, path: &str) -> HashTree {
        let page = self
            .pages
            .witness(entry, path)
            .expect("BUG: a page is witnessed only for paths it answers");
        let roots = pruned(labeled_hash(ROOTS_LABEL, &self.roots.root_hash()));
        fork(page, roots)
    }
}

/// Changes the tree and hands its digest to the system.
pub fn change(change: impl FnOnce(&mut Tree)) {
    let digest = TREE.with_borrow_mut(|tree| {
        change(tree);
        tree.digest()
    });
    ic_cdk::api::certified_data_set(digest);
}

/// CBOR of the proof of a case's roots.
#[must_use]
pub fn roots_witness(case: CaseId) -> Vec<u8> {
    encode(&TREE.with_borrow(|tree| tree.roots_witness(case)))
}

/// The proof of a page.
#[must_use]
pub fn page_witness(entry: &HttpCertificationTreeEntry, path: &str) -> HashTree {
    TREE.with_borrow(|tree| tree.page_witness(entry, path))
}

/// The statements of a case: one for each memory whose root is recorded, stable memory first.
#[must_use]
pub fn statements(case: &Case) -> Vec<RootStatement> {
    Memory::ALL
        .into_iter()
        .filter_map(|memory| {
            let record = case.memory(memory);
            Some(RootStatement {
                case: case.id,
                patient: case.patient,
                memory: view::memory(memory),
                size_bytes: record.size_bytes?,
                chunk_length_bytes: wire::limits::CHUNK_LEN_BYTES,
                root: view::hash(record.root?),
                patient_module_hash: case.own_hash.map(view::hash),
                hashed_by: view::hash(record.hashed_by?),
                recorded_at_nanos: record.recorded_at?,
            })
        })
        .collect()
}

/// CBOR of a hash tree, as the interface specification has it, with the tag that says so.
fn encode(tree: &HashTree) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = serde_cbor::Serializer::new(&mut bytes);
    serializer
        .self_describe()
        .and_then(|()| tree.serialize(&mut serializer))
        .expect("BUG: a hash tree always encodes");
    bytes
}
