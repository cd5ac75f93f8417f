//! Certified data: one hash tree over the recorded roots, which the subnet signs.
//!
//! ```text
//! certified data = digest of
//!   "ic-rescue roots" ── <case, 8 bytes big-endian> ─┬─ "heap"   ── statement text
//!                                                    └─ "stable" ── statement text
//! ```
//!
//! The tree is rebuilt from the stored cases after each change of a root and after each upgrade.

use std::cell::RefCell;

use ic_certification::{AsHashTree, HashTree, RbTree, labeled};
use rescue_api::RootStatement;
use serde::Serialize;

use crate::case::model::{Case, CaseId, Memory};
use crate::limits;
use crate::store::cases;
use crate::view;

type Statements = RbTree<Vec<u8>, Vec<u8>>;
type Roots = RbTree<Vec<u8>, Statements>;

thread_local! {
    static ROOTS: RefCell<Roots> = const { RefCell::new(RbTree::new()) };
}

/// Builds the tree anew from what is stored and hands its digest to the system.
pub fn refresh() {
    let mut roots = Roots::new();
    for case in cases::page(0, limits::CASES_MAX as u32) {
        let mut statements = Statements::new();
        for statement in self::statements(&case) {
            statements.insert(
                statement.memory.name().as_bytes().to_vec(),
                statement.to_text().into_bytes(),
            );
        }
        if !statements.is_empty() {
            roots.insert(RootStatement::case_label(case.id).to_vec(), statements);
        }
    }
    let digest =
        ic_certification::labeled_hash(RootStatement::TREE_LABEL.as_bytes(), &roots.root_hash());
    ROOTS.set(roots);
    ic_cdk::api::certified_data_set(digest);
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

/// CBOR of the part of the tree that proves the statements of a case (or their absence).
#[must_use]
pub fn roots_witness(case: CaseId) -> Vec<u8> {
    let label = RootStatement::case_label(case);
    let tree = ROOTS.with_borrow(|roots| {
        roots.nested_witness(&label, |statements: &Statements| statements.as_hash_tree())
    });
    let tree: HashTree = labeled(RootStatement::TREE_LABEL.as_bytes(), tree);
    encode(&tree)
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
