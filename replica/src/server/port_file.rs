//! The file by which a client learns the port, and by which a second server learns it is one too many.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A port file this process has created; removed when dropped.
#[derive(Debug)]
pub struct PortFile {
    path: PathBuf,
    file: File,
}

impl PortFile {
    /// Creates the file, which must not exist yet.
    ///
    /// # Errors
    /// `AlreadyExists` when another server serves the same clients; anything else as the file system says.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Writes the port, with the newline that tells clients the number is complete.
    ///
    /// # Errors
    /// As the file system says.
    pub fn write(&mut self, port: u16) -> io::Result<()> {
        self.file.write_all(format!("{port}\n").as_bytes())?;
        self.file.flush()
    }
}

impl Drop for PortFile {
    fn drop(&mut self) {
        // Whoever removed it already wanted the same.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_finds_the_file_taken_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("port");
        let mut first = PortFile::create(&path).unwrap();
        first.write(4_943).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "4943\n");
        let error = PortFile::create(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        drop(first);
        assert!(PortFile::create(&path).is_ok());
    }
}
