//! Can one module run on the heap that another left behind?
//!
//! A heap holds addresses into the data segments, indices into the table and what the old code took for
//! granted. This compares what a module's bytes tell of that: memory, data, elements, table and the types of
//! its entries, globals, imported and defined functions, the start function. See [`CANNOT_KNOW`] for what no
//! comparison of bytes can tell.

mod shape;

use crate::{SurgeryError, sections};
use shape::Shape;
use std::fmt;

/// What a verdict leaves open.
pub const CANNOT_KNOW: &str = "It cannot know what the code makes of the heap: whether a function still does what it did \
     and whether types in the heap still have the fields they had. Only the exact deployed bytes, patched, are \
     sure to go on where they stopped.";

/// Differences that are listed for each aspect; all of them are counted.
pub const LISTED_MAX: usize = 5;

/// What a heap depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// Type of the memory.
    Memory,
    /// Data segments: where what lies.
    Data,
    /// Types of the tables.
    Table,
    /// Element segments: which function has which place in a table.
    Elements,
    /// Signatures of the functions in the places of the tables.
    TableEntries,
    /// Globals: types and initial values.
    Globals,
    /// Imported functions, which come first in the numbering of functions.
    Imports,
    /// Number and signatures of the functions.
    Functions,
    /// The start function, which runs over a kept heap.
    Start,
}

impl Aspect {
    /// All of them, in the order of reports.
    pub const ALL: [Aspect; 9] = [
        Aspect::Memory,
        Aspect::Data,
        Aspect::Table,
        Aspect::Elements,
        Aspect::TableEntries,
        Aspect::Globals,
        Aspect::Imports,
        Aspect::Functions,
        Aspect::Start,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Aspect::Memory => "memory",
            Aspect::Data => "data segments",
            Aspect::Table => "table",
            Aspect::Elements => "element segments",
            Aspect::TableEntries => "types of table entries",
            Aspect::Globals => "globals",
            Aspect::Imports => "imported functions",
            Aspect::Functions => "functions",
            Aspect::Start => "start function",
        }
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub aspect: Aspect,
    /// Where.
    pub place: String,
    /// What the first module has there.
    pub first: String,
    /// What the second module has there.
    pub second: String,
}

/// How two modules compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The first differences of each aspect, at most [`LISTED_MAX`] of each.
    pub differences: Vec<Difference>,
    /// How many differences each aspect has; aspects without any are left out.
    pub counts: Vec<(Aspect, usize)>,
    /// Function bodies that differ: no matter of layout, but of what the code does.
    pub bodies_different: usize,
    /// Function bodies that both have.
    pub bodies_compared: usize,
    /// Whether each module carries the marker.
    pub marked: [bool; 2],
    /// Whether the modules are the same bytes.
    pub identical: bool,
}

impl Comparison {
    /// Whether nothing that a heap depends on differs.
    pub fn same_layout(&self) -> bool {
        self.counts.is_empty()
    }
}

/// Compares two modules (unpacked WebAssembly).
///
/// # Errors
/// When one of them is malformed.
pub fn compare(first: &[u8], second: &[u8]) -> Result<Comparison, SurgeryError> {
    let (a, b) = (Shape::of(first)?, Shape::of(second)?);
    let mut found = Found::default();
    found.lists(Aspect::Memory, "memory", &a.memories, &b.memories);
    found.data(&a, &b);
    found.lists(Aspect::Table, "table", &a.tables, &b.tables);
    found.lists(Aspect::Elements, "segment", &a.elements, &b.elements);
    found.lists(Aspect::TableEntries, "entry", &a.entries, &b.entries);
    found.lists(Aspect::Globals, "global", &a.globals, &b.globals);
    found.lists(Aspect::Imports, "import", &a.imports, &b.imports);
    found.lists(Aspect::Functions, "function", &a.functions, &b.functions);
    found.lists(Aspect::Start, "start", &a.start, &b.start);
    let bodies = || a.bodies.iter().zip(&b.bodies);
    Ok(Comparison {
        differences: found.listed,
        counts: found.counts,
        bodies_different: bodies().filter(|(a, b)| a != b).count(),
        bodies_compared: bodies().count(),
        marked: [is_marked(first)?, is_marked(second)?],
        identical: first == second,
    })
}

/// Whether the heap under `module` can be kept by an upgrade to it.
///
/// # Errors
/// When it is malformed.
pub fn is_marked(module: &[u8]) -> Result<bool, SurgeryError> {
    let sections = sections::sections(module)?;
    Ok(sections
        .iter()
        .any(|section| section.ic_name() == Some(crate::MARKER)))
}

/// Whether `module` has a start function: it runs whenever the module is put in, over a kept heap as well.
///
/// # Errors
/// When it is malformed.
pub fn has_start(module: &[u8]) -> Result<bool, SurgeryError> {
    Ok(!Shape::of(module)?.start.is_empty())
}

#[derive(Default)]
struct Found {
    listed: Vec<Difference>,
    counts: Vec<(Aspect, usize)>,
}

impl Found {
    fn add(&mut self, aspect: Aspect, place: String, first: String, second: String) {
        let position = match self.counts.iter().position(|(known, _)| *known == aspect) {
            Some(position) => position,
            None => {
                self.counts.push((aspect, 0));
                self.counts.len() - 1
            }
        };
        self.counts[position].1 += 1;
        if self.counts[position].1 <= LISTED_MAX {
            self.listed.push(Difference {
                aspect,
                place,
                first,
                second,
            });
        }
    }

    /// The number of things, then thing by thing.
    fn lists(&mut self, aspect: Aspect, noun: &str, a: &[String], b: &[String]) {
        if a.len() != b.len() {
            let (first, second) = (a.len().to_string(), b.len().to_string());
            self.add(aspect, "number".to_string(), first, second);
        }
        for (index, (a, b)) in a.iter().zip(b).enumerate() {
            if a != b {
                self.add(aspect, format!("{noun} {index}"), a.clone(), b.clone());
            }
        }
    }

    fn data(&mut self, a: &Shape<'_>, b: &Shape<'_>) {
        let places = |shape: &Shape<'_>| -> Vec<String> {
            let segments = shape.data.iter();
            segments
                .map(|(place, bytes)| format!("{place}, {} bytes", bytes.len()))
                .collect()
        };
        self.lists(Aspect::Data, "segment", &places(a), &places(b));
        for (index, ((_, a), (_, b))) in a.data.iter().zip(&b.data).enumerate() {
            if let Some(at) = a.iter().zip(*b).position(|(a, b)| a != b) {
                let place = format!("segment {index}, byte {at}");
                self.add(
                    Aspect::Data,
                    place,
                    format!("{:#04x}", a[at]),
                    format!("{:#04x}", b[at]),
                );
            }
        }
    }
}
