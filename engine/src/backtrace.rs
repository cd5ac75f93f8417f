//! Function names of a module, for the backtrace of a trap.

use crate::instrument::ADDED_IMPORTS;
use crate::parse::Parsed;
use std::collections::HashMap;
use wasmparser::{BinaryReader, Name, NameSectionReader};

/// Frames a backtrace shows at most.
pub(crate) const FRAMES_MAX: usize = 100;

/// How many imports a replica adds to each module. Names are kept apart from that, the numbers of functions without a
/// name are not.
const REPLICA_IMPORTS: u32 = 5;

/// Names of functions by their index in the module as given.
#[derive(Debug, Default)]
pub(crate) struct FunctionNames {
    names: HashMap<u32, String>,
    imported_functions: u32,
    /// Functions of the module as given; what comes behind them was added.
    functions: u32,
}

impl FunctionNames {
    /// Reads the name section; what cannot be read there has no name.
    pub(crate) fn new(parsed: &Parsed) -> Self {
        let mut names = HashMap::new();
        for &(_, content) in parsed.custom.iter().filter(|(name, _)| *name == "name") {
            let subsections = NameSectionReader::new(BinaryReader::new(content, 0));
            for subsection in subsections.into_iter().flatten() {
                if let Name::Function(map) = subsection {
                    let named = map.into_iter().flatten();
                    names.extend(named.map(|naming| (naming.index, demangle(naming.name))));
                }
            }
        }
        Self {
            names,
            imported_functions: parsed.imported_functions,
            functions: parsed.functions.len() as u32,
        }
    }

    /// A line per frame, innermost first; `None` when no frame has a name.
    ///
    /// `innermost` is a frame that is not of the module, `frames` are indexes in the rewritten
    /// module.
    pub(crate) fn backtrace(
        &self,
        innermost: Option<&'static str>,
        frames: &[u32],
    ) -> Option<Vec<String>> {
        let indexes: Vec<u32> = frames
            .iter()
            .map(|&index| {
                if index < self.imported_functions {
                    index
                } else {
                    index - ADDED_IMPORTS
                }
            })
            .filter(|&index| index < self.functions)
            .collect();
        let has_name = |index| self.names.contains_key(index);
        if innermost.is_none() && !indexes.iter().any(has_name) {
            return None;
        }
        let line = |index: &u32| match self.names.get(index) {
            Some(name) => name.clone(),
            None => format!("unknown function at index {}", index + REPLICA_IMPORTS),
        };
        let innermost = innermost.map(str::to_string).into_iter();
        Some(innermost.chain(indexes.iter().map(line)).collect())
    }
}

fn demangle(name: &str) -> String {
    match rustc_demangle::try_demangle(name) {
        Ok(demangled) => format!("{demangled:#}"),
        Err(_) => name.to_string(),
    }
}
