//! Canister modules as files: read, unpacked, written, and the reports about them.

use crate::error::CliError;
use archive::digests::sha256;
use serde::Serialize;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use surgery::layout::{Aspect, CANNOT_KNOW, Comparison};
use surgery::patch::{Change, Patched};
use surgery::{GLOBAL_TIMER, SurgeryError, exports, layout};

/// A module as it was given.
#[derive(Debug)]
pub struct Module {
    /// What to call it.
    pub name: String,
    /// SHA-256 of the bytes as given: the module hash, if these are deployed.
    pub sha256: [u8; 32],
    /// The bytes as given, maybe gzipped.
    pub bytes: Vec<u8>,
    /// Its WebAssembly.
    pub wasm: Vec<u8>,
}

impl Module {
    /// Takes the bytes of a file.
    ///
    /// # Errors
    /// [`CliError::Surgery`] when they are no module.
    pub fn new(path: &Path, bytes: Vec<u8>) -> Result<Self, CliError> {
        Self::named(path.display().to_string(), bytes)
    }

    /// Takes bytes from elsewhere.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn named(name: String, bytes: Vec<u8>) -> Result<Self, CliError> {
        let wasm = match surgery::unpack::unpack(&bytes) {
            Ok(wasm) => wasm.into_owned(),
            Err(error) => return Err(CliError::Surgery { what: name, error }),
        };
        Ok(Self {
            name,
            sha256: sha256(&bytes),
            bytes,
            wasm,
        })
    }

    /// An error about this module.
    pub fn error(&self, error: SurgeryError) -> CliError {
        CliError::Surgery {
            what: self.name.clone(),
            error,
        }
    }
}

/// Writes `bytes` to a file that is not there yet, or that holds them already. Never half of them: a file
/// beside it is renamed at the end.
///
/// # Errors
/// [`CliError::WriteFile`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    match std::fs::read(path) {
        Ok(found) if found == bytes => return Ok(()),
        Ok(_) => {
            let source = std::io::Error::new(
                std::io::ErrorKind::AlreadyExists,
                "it is there already with other content: move it away or name another file",
            );
            return Err(CliError::WriteFile {
                path: path.to_path_buf(),
                source,
            });
        }
        Err(_) => {}
    }
    replace(path, bytes)
}

/// Writes `bytes` to a file, in place of what it held, on disk before this returns.
///
/// # Errors
/// [`CliError::WriteFile`].
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|source| CliError::WriteFile {
        path: path.to_path_buf(),
        source,
    })
}

/// What a patch did.
#[derive(Clone, Debug, Serialize)]
pub struct PatchReport {
    /// The module that was read.
    pub module: String,
    /// Its hash, as given.
    pub module_hash: String,
    /// The file that was written.
    pub file: String,
    /// Its hash: the module hash once it is deployed.
    pub file_hash: String,
    /// Its bytes.
    pub file_len_bytes: usize,
    /// What changed, in words.
    pub changes: Vec<String>,
    /// What was copied byte for byte.
    pub copied: Vec<Copied>,
    /// What to think of before it is put in.
    pub warnings: Vec<String>,
}

/// A section that was copied.
#[derive(Clone, Debug, Serialize)]
pub struct Copied {
    /// Which.
    pub section: String,
    /// Its bytes, header included.
    pub len_bytes: usize,
}

impl PatchReport {
    /// Describes what became of `given`.
    ///
    /// # Errors
    /// When the module is malformed.
    pub fn new(given: &Module, file: &Path, patched: &Patched) -> Result<Self, CliError> {
        Ok(Self {
            module: given.name.clone(),
            module_hash: hex::encode(given.sha256),
            file: file.display().to_string(),
            file_hash: hex::encode(sha256(&patched.module)),
            file_len_bytes: patched.module.len(),
            changes: patched.changes.iter().map(describe).collect(),
            copied: patched
                .copied
                .iter()
                .map(|(section, len_bytes)| Copied {
                    section: section.clone(),
                    len_bytes: *len_bytes,
                })
                .collect(),
            warnings: warnings(&patched.module).map_err(|error| given.error(error))?,
        })
    }
}

/// A change in words.
pub fn describe(change: &Change) -> String {
    match change {
        Change::ExportRemoved { name, function } => {
            format!("export {name} removed (function {function} stays, nobody can call it)")
        }
        Change::MarkerAdded { len_bytes } => format!(
            "custom section \"icp:private {}\" added at the end ({len_bytes} bytes)",
            surgery::MARKER
        ),
        Change::SectionDropped { name, len_bytes } => {
            format!("custom section {name:?} dropped ({len_bytes} bytes)")
        }
    }
}

/// What an upgrade that keeps the heap does to a canister of this module.
fn warnings(wasm: &[u8]) -> Result<Vec<String>, SurgeryError> {
    let mut found = Vec::new();
    if layout::has_start(wasm)? {
        found.push(
            "it has a start function, which runs over the kept heap: put it in through a snapshot \
             (hotfix --via-snapshot)"
                .to_string(),
        );
    }
    if exports::functions(wasm)?
        .iter()
        .any(|name| name == GLOBAL_TIMER)
    {
        found.push(
            "it uses a global timer, which an upgrade switches off until the canister sets it again; \
             a snapshot keeps it (hotfix --via-snapshot)"
                .to_string(),
        );
    }
    Ok(found)
}

impl fmt::Display for PatchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: SHA-256 {}", self.module, self.module_hash)?;
        if self.changes.is_empty() {
            writeln!(f, "  nothing had to be changed")?;
        }
        for change in &self.changes {
            writeln!(f, "  {change}")?;
        }
        let copied: Vec<String> = self
            .copied
            .iter()
            .map(|copied| format!("{} ({})", copied.section, copied.len_bytes))
            .collect();
        writeln!(f, "  identical, in bytes: {}", copied.join(", "))?;
        for warning in &self.warnings {
            writeln!(f, "  note: {warning}")?;
        }
        write!(
            f,
            "{}: SHA-256 {}, {} bytes",
            self.file, self.file_hash, self.file_len_bytes
        )
    }
}

/// How two modules compare.
#[derive(Clone, Debug, Serialize)]
pub struct LayoutReport {
    /// The one whose heap it is about.
    pub first: String,
    /// The one that should run on it.
    pub second: String,
    /// `same layout` or `differs`.
    pub verdict: &'static str,
    /// Number of differences of each aspect that differs.
    pub counts: Vec<(String, usize)>,
    /// The first of them.
    pub differences: Vec<ListedDifference>,
    /// Function bodies that differ.
    pub bodies_different: usize,
    /// Function bodies that were compared.
    pub bodies_compared: usize,
    /// Whether each carries the marker.
    pub marked: [bool; 2],
    /// What this verdict leaves open.
    pub cannot_know: &'static str,
}

/// One difference.
#[derive(Clone, Debug, Serialize)]
pub struct ListedDifference {
    /// What it is about.
    pub aspect: String,
    /// Where.
    pub place: String,
    /// What the first has there.
    pub first: String,
    /// What the second has there.
    pub second: String,
}

impl LayoutReport {
    /// Describes a comparison.
    pub fn new(first: &str, second: &str, comparison: &Comparison) -> Self {
        Self {
            first: first.to_string(),
            second: second.to_string(),
            verdict: if comparison.same_layout() {
                "same layout"
            } else {
                "differs"
            },
            counts: comparison
                .counts
                .iter()
                .map(|(aspect, count)| (aspect.name().to_string(), *count))
                .collect(),
            differences: comparison
                .differences
                .iter()
                .map(|difference| ListedDifference {
                    aspect: difference.aspect.name().to_string(),
                    place: difference.place.clone(),
                    first: difference.first.clone(),
                    second: difference.second.clone(),
                })
                .collect(),
            bodies_different: comparison.bodies_different,
            bodies_compared: comparison.bodies_compared,
            marked: comparison.marked,
            cannot_know: CANNOT_KNOW,
        }
    }
}

impl fmt::Display for LayoutReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} and {}: {}", self.first, self.second, self.verdict)?;
        for aspect in Aspect::ALL {
            let count = self.counts.iter().find(|(name, _)| name == aspect.name());
            match count {
                None => writeln!(f, "  {aspect}: the same")?,
                Some((_, 1)) => writeln!(f, "  {aspect}: 1 difference")?,
                Some((_, count)) => writeln!(f, "  {aspect}: {count} differences")?,
            }
            for listed in &self.differences {
                if listed.aspect == aspect.name() {
                    let ListedDifference {
                        place,
                        first,
                        second,
                        ..
                    } = listed;
                    writeln!(f, "    {place}: {first} / {second}")?;
                }
            }
        }
        writeln!(
            f,
            "  code: {} of {} function bodies differ",
            self.bodies_different, self.bodies_compared
        )?;
        let marker = |marked: bool| if marked { "yes" } else { "no" };
        writeln!(
            f,
            "  marker: {} / {}",
            marker(self.marked[0]),
            marker(self.marked[1])
        )?;
        write!(f, "{}", self.cannot_know)
    }
}
