//! The hot patch: the same module without its upgrade hooks and with the marker that lets a heap be kept.
//!
//! | part | what happens to it |
//! |---|---|
//! | exports | the hooks' entries are cut out, the others are copied as they are |
//! | custom sections | one is added at the end, empty: the marker, if there is none yet; those that are named are dropped |
//! | everything else | copied byte for byte |
//!
//! The hooks' code stays in the module, only nobody can call it. `post_upgrade` goes by default, too: it runs
//! when the patched module is put in, over a heap that is alive, and would set it up anew.

use crate::sections::{self, CUSTOM, EXPORT, Section};
use crate::{IC_SECTIONS_MAX, IC_SECTIONS_MAX_BYTES, MARKER, POST_UPGRADE, PRE_UPGRADE};
use crate::{SurgeryError, leb};
use wasmparser::{BinaryReader, ExportSectionReader, ExternalKind};

/// What to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Leave `canister_pre_upgrade` in: the next upgrade runs it.
    pub keep_pre_upgrade: bool,
    /// Leave `canister_post_upgrade` in: it runs as soon as the module is put in.
    pub keep_post_upgrade: bool,
    /// Custom sections to drop, by their whole names.
    pub drop_sections: Vec<String>,
}

impl Plan {
    /// Both hooks go, nothing else does.
    pub const BOTH_HOOKS: Plan = Plan {
        keep_pre_upgrade: false,
        keep_post_upgrade: false,
        drop_sections: Vec::new(),
    };
    /// `post_upgrade` goes, `pre_upgrade` stays to be run by the next upgrade.
    pub const POST_UPGRADE_ONLY: Plan = Plan {
        keep_pre_upgrade: true,
        keep_post_upgrade: false,
        drop_sections: Vec::new(),
    };

    fn removes(&self, export: &str) -> bool {
        (export == PRE_UPGRADE && !self.keep_pre_upgrade)
            || (export == POST_UPGRADE && !self.keep_post_upgrade)
    }
}

/// One thing that a patch changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An export is gone; the function is still there.
    ExportRemoved {
        /// Its name.
        name: String,
        /// Index of the function.
        function: u32,
    },
    /// The marker was added at the end.
    MarkerAdded {
        /// Bytes of the section.
        len_bytes: usize,
    },
    /// A custom section was dropped.
    SectionDropped {
        /// Its name.
        name: String,
        /// Its bytes.
        len_bytes: usize,
    },
}

/// A patched module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patched {
    /// Its bytes, not compressed.
    pub module: Vec<u8>,
    /// What was changed, in the order of the bytes. Empty: nothing had to be, the bytes are those given.
    pub changes: Vec<Change>,
    /// Sections that were copied as they are: title and bytes.
    pub copied: Vec<(String, usize)>,
}

/// Patches `module` (unpacked WebAssembly).
///
/// # Errors
/// When it is malformed, the marker does not fit, or a section to be dropped is not there.
pub fn patch(module: &[u8], plan: &Plan) -> Result<Patched, SurgeryError> {
    let sections = sections::sections(module)?;
    check_names(&sections, plan)?;
    let first = sections.first().map_or(module.len(), |s| s.whole.start);
    let mut patched = Patched {
        module: module[..first].to_vec(),
        changes: Vec::new(),
        copied: Vec::new(),
    };
    let mut staying = Vec::new();
    for section in &sections {
        let bytes = &module[section.whole.clone()];
        if section.id == EXPORT {
            exports(module, section, plan, &mut patched)?;
        } else if section
            .name
            .as_ref()
            .is_some_and(|name| plan.drop_sections.contains(name))
        {
            patched.changes.push(Change::SectionDropped {
                name: section.name.clone().unwrap_or_default(),
                len_bytes: bytes.len(),
            });
        } else {
            patched.module.extend_from_slice(bytes);
            patched.copied.push((section.title(), bytes.len()));
            staying.push(section);
        }
    }
    mark(&staying, &mut patched)?;
    Ok(patched)
}

fn check_names(sections: &[Section], plan: &Plan) -> Result<(), SurgeryError> {
    let names = || sections.iter().filter_map(|section| section.name.as_ref());
    match plan
        .drop_sections
        .iter()
        .find(|wanted| !names().any(|name| name == *wanted))
    {
        None => Ok(()),
        Some(name) => {
            let present: Vec<String> = names().map(|name| format!("{name:?}")).collect();
            Err(SurgeryError::NoSuchSection {
                name: name.clone(),
                present: match present.len() {
                    0 => "none".to_string(),
                    _ => present.join(", "),
                },
            })
        }
    }
}

/// Copies the export section without the hooks.
fn exports(
    module: &[u8],
    section: &Section,
    plan: &Plan,
    patched: &mut Patched,
) -> Result<(), SurgeryError> {
    let content = &module[section.content.clone()];
    let reader = BinaryReader::new(content, section.content.start);
    let mut entries = Vec::new();
    for item in ExportSectionReader::new(reader)?.into_iter_with_offsets() {
        entries.push(item?);
    }
    let removed = |kind: ExternalKind, name: &str| {
        matches!(kind, ExternalKind::Func | ExternalKind::FuncExact) && plan.removes(name)
    };
    if !entries.iter().any(|(_, e)| removed(e.kind, e.name)) {
        patched
            .module
            .extend_from_slice(&module[section.whole.clone()]);
        patched.copied.push((section.title(), section.whole.len()));
        return Ok(());
    }
    let mut kept = 0;
    let mut bytes = Vec::with_capacity(content.len());
    for (position, (start, export)) in entries.iter().enumerate() {
        if removed(export.kind, export.name) {
            patched.changes.push(Change::ExportRemoved {
                name: export.name.to_string(),
                function: export.index,
            });
            continue;
        }
        let end = entries
            .get(position + 1)
            .map_or(section.content.end, |(next, _)| *next);
        bytes.extend_from_slice(&module[*start..end]);
        kept += 1;
    }
    let mut rewritten = Vec::with_capacity(bytes.len() + 5);
    leb::write_u32(kept, &mut rewritten);
    rewritten.extend_from_slice(&bytes);
    sections::write(EXPORT, &rewritten, &mut patched.module);
    Ok(())
}

/// Appends the marker, unless the module has it.
fn mark(staying: &[&Section], patched: &mut Patched) -> Result<(), SurgeryError> {
    let ours: Vec<(&str, usize, &str)> = staying
        .iter()
        .filter(|section| section.id == CUSTOM)
        .filter_map(|section| {
            let whole_name = section.name.as_deref()?;
            Some((section.ic_name()?, section.data_len_bytes, whole_name))
        })
        .collect();
    if ours.iter().any(|(name, ..)| *name == MARKER) {
        return Ok(());
    }
    let longest = ours.iter().max_by_key(|(name, len, _)| name.len() + len);
    let example = || longest.map_or(String::new(), |(.., whole)| (*whole).to_string());
    if ours.len() + 1 > IC_SECTIONS_MAX {
        return Err(SurgeryError::TooManySections {
            found: ours.len(),
            example: example(),
        });
    }
    let found_bytes = MARKER.len()
        + ours
            .iter()
            .map(|(name, len, _)| name.len() + len)
            .sum::<usize>();
    if found_bytes > IC_SECTIONS_MAX_BYTES {
        return Err(SurgeryError::SectionsTooLong {
            found_bytes,
            example: example(),
        });
    }
    let before = patched.module.len();
    sections::write_custom(&format!("icp:private {MARKER}"), &[], &mut patched.module);
    patched.changes.push(Change::MarkerAdded {
        len_bytes: patched.module.len() - before,
    });
    Ok(())
}
