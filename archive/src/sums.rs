//! `ic-rescue/SHA256SUMS`: lets anyone check the small files with `sha256sum -c`.
//!
//! One line per file, sorted by path: 64 hex digits, two spaces, the path relative to the backup
//! directory. It covers the manifest, its copy and every file that the manifest lists; the images are
//! covered by their chunk digests.

use crate::digests::sha256;
use crate::layout::Layout;
use crate::manifest::Manifest;

/// The bytes of the file for `manifest`, whose own bytes are `manifest_json`.
pub fn render(layout: &Layout, manifest: &Manifest, manifest_json: &[u8]) -> String {
    let own = hex::encode(sha256(manifest_json));
    let mut lines: Vec<(String, String)> = manifest
        .files
        .iter()
        .map(|entry| (entry.path.clone(), entry.sha256.clone()))
        .chain(
            [layout.manifest(), layout.manifest_copy()]
                .map(|path| (layout.relative(&path), own.clone())),
        )
        .collect();
    lines.sort();
    lines
        .iter()
        .map(|(path, sum)| format!("{sum}  {path}\n"))
        .collect()
}
