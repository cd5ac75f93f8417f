//! Directory locks as types: who wants paths needs a lock.
//!
//! The lock is `flock` on the directory itself, so it leaves no file behind, works on a directory that
//! is mounted read-only, and ends with the process however that ends.

use crate::error::ArchiveError;
use crate::layout::Layout;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::path::Path;

/// The right to change a backup directory.
#[derive(Debug)]
pub struct Exclusive {
    layout: Layout,
    _handle: File,
}

/// The right to read a backup directory; several processes may hold it at once.
#[derive(Debug)]
pub struct Shared {
    layout: Layout,
    _handle: File,
}

/// A held lock of either kind.
pub trait Guard {
    /// The paths that the lock protects.
    fn layout(&self) -> &Layout;
}

impl Exclusive {
    /// Creates `root` if it does not exist, and locks it.
    ///
    /// # Errors
    /// [`ArchiveError::Locked`] when another process holds it; otherwise what the system answered.
    pub fn create(root: &Path) -> Result<Self, ArchiveError> {
        std::fs::create_dir_all(root).map_err(|source| ArchiveError::CreateDirectory {
            path: root.to_path_buf(),
            source,
        })?;
        Self::existing(root)
    }

    /// Locks an existing directory.
    ///
    /// # Errors
    /// As [`Exclusive::create`], and when the directory does not exist.
    pub fn existing(root: &Path) -> Result<Self, ArchiveError> {
        let handle = take(root, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self {
            layout: Layout::new(root),
            _handle: handle,
        })
    }
}

impl Shared {
    /// Locks an existing directory for reading.
    ///
    /// # Errors
    /// As [`Exclusive::existing`].
    pub fn existing(root: &Path) -> Result<Self, ArchiveError> {
        let handle = take(root, FlockOperation::NonBlockingLockShared)?;
        Ok(Self {
            layout: Layout::new(root),
            _handle: handle,
        })
    }
}

impl Guard for Exclusive {
    fn layout(&self) -> &Layout {
        &self.layout
    }
}

impl Guard for Shared {
    fn layout(&self) -> &Layout {
        &self.layout
    }
}

fn take(root: &Path, operation: FlockOperation) -> Result<File, ArchiveError> {
    let open_error = |source| ArchiveError::OpenDirectory {
        path: root.to_path_buf(),
        source,
    };
    let handle = File::open(root).map_err(open_error)?;
    if !handle.metadata().map_err(open_error)?.is_dir() {
        return Err(open_error(std::io::ErrorKind::NotADirectory.into()));
    }
    match flock(&handle, operation) {
        Ok(()) => Ok(handle),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(ArchiveError::Locked {
            path: root.to_path_buf(),
        }),
        Err(errno) => Err(ArchiveError::TakeLock {
            path: root.to_path_buf(),
            source: errno.into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_writers_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let held = Exclusive::create(dir.path()).unwrap();
        assert!(matches!(
            Exclusive::existing(dir.path()),
            Err(ArchiveError::Locked { .. })
        ));
        assert!(matches!(
            Shared::existing(dir.path()),
            Err(ArchiveError::Locked { .. })
        ));
        drop(held);
        Exclusive::existing(dir.path()).unwrap();
    }

    #[test]
    fn readers_share() {
        let dir = tempfile::tempdir().unwrap();
        let _one = Shared::existing(dir.path()).unwrap();
        let _two = Shared::existing(dir.path()).unwrap();
        assert!(matches!(
            Exclusive::existing(dir.path()),
            Err(ArchiveError::Locked { .. })
        ));
    }

    #[test]
    fn a_lock_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        drop(Exclusive::create(dir.path()).unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
