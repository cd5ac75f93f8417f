//! Small files: read whole, written by temporary file, fsync and rename.

use crate::error::ArchiveError;
use crate::layout::TMP_SUFFIX;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Upper bound of any file that is read into memory at once: digests of 500 GiB of stable memory in
/// 1 MiB chunks are 16 MiB, a module at most 100 MiB.
pub const SMALL_FILE_MAX_BYTES: u64 = 128 << 20;

/// Reads a file of at most [`SMALL_FILE_MAX_BYTES`].
///
/// # Errors
/// [`ArchiveError::Read`], also when the file is larger.
pub fn read_small(path: &Path) -> Result<Vec<u8>, ArchiveError> {
    let error = |source| ArchiveError::Read {
        path: path.to_path_buf(),
        source,
    };
    let file = File::open(path).map_err(error)?;
    let mut data = Vec::new();
    file.take(SMALL_FILE_MAX_BYTES + 1)
        .read_to_end(&mut data)
        .map_err(error)?;
    if data.len() as u64 > SMALL_FILE_MAX_BYTES {
        return Err(error(std::io::ErrorKind::FileTooLarge.into()));
    }
    Ok(data)
}

/// Writes `data` so that `path` holds either what it held before or all of `data`, whatever happens.
///
/// # Errors
/// [`ArchiveError::Write`] or [`ArchiveError::Rename`].
pub fn write_atomic(path: &Path, data: &[u8]) -> Result<(), ArchiveError> {
    let tmp = tmp_path(path);
    let error = |source| ArchiveError::Write {
        path: path.to_path_buf(),
        source,
    };
    #[cfg(test)]
    cut::pass().map_err(error)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&tmp)
        .map_err(error)?;
    file.write_all(data).map_err(error)?;
    file.sync_all().map_err(error)?;
    drop(file);
    rename_durable(&tmp, path)
}

/// Renames and makes the new name durable.
///
/// # Errors
/// [`ArchiveError::Rename`].
pub fn rename_durable(from: &Path, to: &Path) -> Result<(), ArchiveError> {
    let error = |source| ArchiveError::Rename {
        from: from.to_path_buf(),
        to: to.to_path_buf(),
        source,
    };
    #[cfg(test)]
    cut::pass().map_err(error)?;
    fs::rename(from, to).map_err(error)?;
    sync_parent(to).map_err(error)
}

/// Removes `path` if it exists, durably.
///
/// # Errors
/// [`ArchiveError::Remove`].
pub fn remove_if_present(path: &Path) -> Result<(), ArchiveError> {
    let error = |source| ArchiveError::Remove {
        path: path.to_path_buf(),
        source,
    };
    #[cfg(test)]
    cut::pass().map_err(error)?;
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path).map_err(error),
        Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(error(source)),
    }
}

/// Creates a folder of the backup if it does not exist.
///
/// # Errors
/// [`ArchiveError::CreateDirectory`].
pub fn create_folder(path: &Path) -> Result<(), ArchiveError> {
    fs::create_dir_all(path).map_err(|source| ArchiveError::CreateDirectory {
        path: path.to_path_buf(),
        source,
    })
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        // That of a bare name.
        Some(parent) if parent.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn tmp_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TMP_SUFFIX);
    name.into()
}

/// Lets a test end the process, so to speak, before any one of the operations above.
#[cfg(test)]
pub(crate) mod cut {
    use std::cell::Cell;

    thread_local! {
        static OPERATIONS_LEFT: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// From now on this many operations are done, and none after them; all of them if `None`.
    pub fn after(operations: Option<u64>) {
        OPERATIONS_LEFT.set(operations);
    }

    pub fn pass() -> std::io::Result<()> {
        match OPERATIONS_LEFT.get() {
            Some(0) => Err(std::io::Error::other("cut off by the test")),
            left => {
                OPERATIONS_LEFT.set(left.map(|left| left - 1));
                Ok(())
            }
        }
    }
}
