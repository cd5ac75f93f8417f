//! The rules, written down once more and as plainly as can be.
//!
//! What holds in every life:
//! - a step that is refused, or whose code traps, changes nothing: neither memories, globals, module, certified data
//!   nor version;
//! - stable memory is lost only with `install`, `reinstall`, `uninstall_code` and a snapshot loaded over it;
//! - the heap outlives an upgrade exactly when it asks for `keep`, the new module carries the marker, and the heap is
//!   not shorter than that module declares; globals never do, whatever is kept;
//! - a module with the marker is upgraded only by those who say what becomes of the heap;
//! - `canister_pre_upgrade` runs, and can refuse the upgrade, exactly when it is not skipped;
//! - certified data outlives upgrades and is empty after all other installations;
//! - a query changes nothing but, called through consensus, the version;
//! - a snapshot holds module, memories and certified data of the moment it was taken, whatever happens later, and can
//!   be loaded any number of times, in any life cycle state;
//! - a stopped canister runs no code but the hooks of installations.

use crate::steps::{Install, Mode, Step};
use replica::core::api::ErrorCode;

/// What a step answers.
pub type Answer = Result<(), ErrorCode>;

/// What can be seen of a canister from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// `running` or `stopped`.
    pub is_running: bool,
    /// Canister version.
    pub version: u64,
    /// Which module, and whether it is marked; `None` when empty.
    pub code: Option<(u8, bool)>,
    /// Certified data, as far as there is code.
    pub certified: Option<Vec<u8>>,
    /// The memories, when they can be asked for.
    pub memory: Option<Memory>,
    /// Snapshots there are.
    pub snapshots: usize,
}

/// What a canister tells about its memories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The written byte of the heap.
    pub heap: u8,
    /// The written byte of stable memory.
    pub stable: u8,
    /// The mutable global: the module's number.
    pub global: u8,
    /// Pages of the heap.
    pub heap_pages: u8,
}

#[derive(Clone, Debug)]
struct Installed {
    code: u8,
    is_marked: bool,
    heap: u8,
    heap_pages: u8,
    hook_traps: bool,
    stable: u8,
    certified: Vec<u8>,
}

/// The model of one canister.
#[derive(Debug, Default)]
pub struct Model {
    installed: Option<Installed>,
    is_stopped: bool,
    version: u64,
    snapshots: Vec<Installed>,
    forgets_stable_memory: bool,
}

impl Model {
    /// A model with one wrong rule, to see that wrong rules are found.
    pub fn that_forgets_stable_memory() -> Self {
        Model {
            forgets_stable_memory: true,
            ..Model::default()
        }
    }

    /// What can be seen.
    pub fn look(&self) -> Look {
        let code = self.installed.as_ref();
        Look {
            is_running: !self.is_stopped,
            version: self.version,
            code: code.map(|code| (code.code, code.is_marked)),
            certified: code.map(|code| code.certified.clone()),
            memory: code.filter(|_| !self.is_stopped).map(|code| Memory {
                heap: code.heap,
                stable: code.stable,
                global: code.code,
                heap_pages: code.heap_pages,
            }),
            snapshots: self.snapshots.len(),
        }
    }

    /// What a step does, and what it answers.
    pub fn step(&mut self, step: &Step) -> Answer {
        match step {
            Step::Install(install) => self.install(install),
            Step::Write(byte) => self.call(|code| {
                code.heap = *byte;
                code.stable = *byte;
                code.certified = vec![*byte];
            }),
            Step::WriteAndTrap(_) => {
                self.callable()?;
                Err(ErrorCode::CanisterTrapped)
            }
            Step::Grow => self.call(|code| code.heap_pages += 1),
            Step::Arm => self.call(|code| code.hook_traps = true),
            Step::Scribble => self.call(|_| ()),
            Step::ScribbleInQuery => self.callable().map(|_| ()),
            Step::Stop => {
                // Once when it is asked to stop, once when it has stopped.
                self.version += if self.is_stopped { 1 } else { 2 };
                self.is_stopped = true;
                Ok(())
            }
            Step::Start => {
                self.version += 1;
                self.is_stopped = false;
                Ok(())
            }
            Step::Uninstall => {
                self.version += 1;
                self.installed = None;
                Ok(())
            }
            Step::Take => {
                let code = self.installed.clone();
                self.snapshots
                    .push(code.ok_or(ErrorCode::CanisterRejectedMessage)?);
                Ok(())
            }
            Step::Load(number) => {
                let snapshot = self.snapshots.get(*number);
                self.installed = Some(snapshot.ok_or(ErrorCode::CanisterSnapshotNotFound)?.clone());
                self.version += 1;
                Ok(())
            }
            Step::Delete(number) => {
                if *number >= self.snapshots.len() {
                    return Err(ErrorCode::CanisterSnapshotNotFound);
                }
                self.snapshots.remove(*number);
                Ok(())
            }
        }
    }

    fn callable(&mut self) -> Result<&mut Installed, ErrorCode> {
        if self.is_stopped {
            return Err(ErrorCode::CanisterStopped);
        }
        self.installed
            .as_mut()
            .ok_or(ErrorCode::CanisterWasmModuleNotFound)
    }

    fn call(&mut self, change: impl FnOnce(&mut Installed)) -> Answer {
        change(self.callable()?);
        self.version += 1;
        Ok(())
    }

    fn install(&mut self, install: &Install) -> Answer {
        let declared_pages = install.code;
        let fresh = Installed {
            code: install.code,
            is_marked: install.is_marked,
            heap: 0,
            heap_pages: declared_pages,
            hook_traps: false,
            stable: 0,
            certified: Vec::new(),
        };
        let new = match (install.mode, &self.installed) {
            (Mode::Install, Some(_)) => return Err(ErrorCode::CanisterNonEmpty),
            (Mode::Install | Mode::Reinstall, _) => fresh,
            (Mode::Upgrade { .. }, None) => return Err(ErrorCode::CanisterWasmModuleNotFound),
            (Mode::Upgrade { skip, keep }, Some(old)) => {
                if !skip && old.hook_traps {
                    return Err(ErrorCode::CanisterTrapped);
                }
                let is_refused = match keep {
                    None => old.is_marked,
                    Some(keep) => keep && !install.is_marked,
                };
                if is_refused {
                    return Err(ErrorCode::CanisterContractViolation);
                }
                let mut new = Installed {
                    stable: old.stable,
                    certified: old.certified.clone(),
                    ..fresh
                };
                if keep == Some(true) {
                    if old.heap_pages < declared_pages {
                        return Err(ErrorCode::CanisterInvalidWasm);
                    }
                    new.heap = old.heap;
                    new.heap_pages = old.heap_pages;
                    new.hook_traps = old.hook_traps;
                }
                if self.forgets_stable_memory {
                    new.stable = 0;
                }
                new
            }
        };
        if install.traps {
            return Err(ErrorCode::CanisterTrapped);
        }
        self.installed = Some(new);
        self.version += 1;
        Ok(())
    }
}
