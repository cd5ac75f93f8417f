//! Memory images nobody here made, from the shared data folder beside the project, if it is there.

use flate2::read::GzDecoder;
use std::io::Read;
use std::path::Path;

/// A station canister's stable memory.
pub const STATION: &str = "orbit-station-memory-v1.bin.gz";
/// Its upgrader's stable memory.
pub const UPGRADER: &str = "orbit-upgrader-memory-v0.bin.gz";

/// The image `name`, unpacked; absent (and said so) where the shared folder is absent.
pub fn shared(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data")
        .join(name);
    let Ok(packed) = std::fs::read(&path) else {
        println!("left out: {} is not there", path.display());
        return None;
    };
    let mut image = Vec::new();
    GzDecoder::new(packed.as_slice())
        .read_to_end(&mut image)
        .unwrap();
    Some(image)
}
