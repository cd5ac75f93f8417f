//! Identities that dfx protects by a password.
//!
//! ```text
//! identity.json            {"encryption": {"pw_salt": text of 64 characters, "file_nonce": [12 numbers]}}
//! identity.pem.encrypted   AES-256-GCM of the PEM text, 16 bytes of tag at the end
//! key                      Argon2id 1.3 of the password: 64,000 KiB, 3 passes, 1 lane, 32 bytes
//! salt of the key          the bytes that pw_salt is the base64 text of (dfx writes digits of hexadecimals into it)
//! ```

use super::{password, read_file};
use crate::error::CliError;
use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Deserialize;
use std::path::Path;
use zeroize::Zeroizing;

/// Name of the encrypted file.
pub const ENCRYPTED_FILE: &str = "identity.pem.encrypted";
/// Name of the file beside it that says how it was encrypted.
const SETTINGS_FILE: &str = "identity.json";

/// Memory that the key takes to derive, in KiB.
const KEY_MEMORY_KIB: u32 = 64_000;
const KEY_PASSES: u32 = 3;
const KEY_LANES: u32 = 1;
const KEY_LEN_BYTES: usize = 32;

#[derive(Deserialize)]
struct Settings {
    encryption: Encryption,
}

#[derive(Deserialize)]
struct Encryption {
    pw_salt: String,
    file_nonce: [u8; 12],
}

/// Whether `path` is an identity that dfx encrypted.
pub fn is_encrypted(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == ENCRYPTED_FILE)
}

/// The PEM text of the identity whose encrypted file lies at `path`, with the password from `password_file` or from the
/// terminal.
///
/// # Errors
/// [`CliError::ReadIdentity`] or [`CliError::BadIdentity`].
pub fn read(path: &Path, password_file: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let settings = path.with_file_name(SETTINGS_FILE);
    let encrypted = read_file(path)?;
    let found = serde_json::from_slice::<Settings>(&read_file(&settings)?);
    let Ok(Settings { encryption }) = found else {
        return Err(CliError::BadIdentity {
            path: settings,
            reason: "it does not say how dfx encrypted the identity beside it",
        });
    };
    let password = password(path, password_file)?;
    decrypt(&encrypted, &encryption, &password).map_err(|reason| CliError::BadIdentity {
        path: path.to_path_buf(),
        reason,
    })
}

fn decrypt(
    encrypted: &[u8],
    encryption: &Encryption,
    password: &str,
) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    const UNKNOWN: &str = "it is encrypted in a way that is not understood";
    let salt = STANDARD_NO_PAD
        .decode(&encryption.pw_salt)
        .map_err(|_| UNKNOWN)?;
    let params = Params::new(KEY_MEMORY_KIB, KEY_PASSES, KEY_LANES, Some(KEY_LEN_BYTES))
        .map_err(|_| UNKNOWN)?;
    let mut key = Zeroizing::new([0; KEY_LEN_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.as_bytes(), &salt, &mut *key)
        .map_err(|_| UNKNOWN)?;
    let cipher = Aes256Gcm::new_from_slice(&*key).map_err(|_| UNKNOWN)?;
    let plain = cipher.decrypt(&Nonce::from(encryption.file_nonce), encrypted);
    plain
        .map(Zeroizing::new)
        .map_err(|_| "the password is wrong, or the file is damaged")
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::*;

    // An Ed25519 key made for this test, encrypted by the releases 0.4.1 of argon2 and 0.9.4 of aes-gcm, as dfx does, with the
    // password "correct horse".
    const PEM: &[u8] = include_bytes!("../../../tests/golden/dfx_identity/plain.pem");
    const SETTINGS: &[u8] = include_bytes!("../../../tests/golden/dfx_identity/identity.json");
    const ENCRYPTED: &[u8] =
        include_bytes!("../../../tests/golden/dfx_identity/identity.pem.encrypted");

    #[test]
    fn what_dfx_encrypted_is_the_key_that_was_encrypted() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let plain = put("plain.pem", PEM);
        let file = put(ENCRYPTED_FILE, ENCRYPTED);
        let settings = put(SETTINGS_FILE, SETTINGS);
        let password = put("password", b"correct horse\n");
        assert_eq!(*read(&file, Some(&password)).unwrap(), PEM);
        let sender = |path| {
            let identity = load(path, Some(&password)).unwrap();
            identity.sender().unwrap()
        };
        assert_eq!(sender(&file), sender(&plain));

        let error = |file: &Path| load(file, Some(&password)).err().unwrap().to_string();
        put("password", b"wrong horse");
        let said = error(&file);
        assert!(
            said.contains("password is wrong") && !said.contains("horse"),
            "{said}"
        );
        put("password", b"correct horse");
        let mut damaged = ENCRYPTED.to_vec();
        damaged[40] ^= 1;
        put(ENCRYPTED_FILE, &damaged);
        assert!(error(&file).contains("damaged"));
        put(SETTINGS_FILE, b"{}");
        let said = error(&file);
        assert!(said.contains(&settings.display().to_string()), "{said}");
        assert!(said.contains("does not say how"), "{said}");
    }
}
