//! Identities from PEM files: Ed25519, secp256k1 and P-256, in PKCS#8 or SEC1 form, encrypted ones too, also in the way
//! of dfx.
//!
//! Key material stays in here: errors name the file and what is wrong with it, never its content. Passwords come
//! from a file or from the terminal, never from the command line, and are wiped after use.

mod dfx;

pub use dfx::ENCRYPTED_FILE as DFX_ENCRYPTED_FILE;

use crate::error::CliError;
use crate::project;
use ic_agent::Identity;
use ic_agent::identity::{AnonymousIdentity, BasicIdentity, Prime256v1Identity, Secp256k1Identity};
use pkcs8::EncryptedPrivateKeyInfoRef;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Object identifiers of curves, as they stand in DER.
const OID_P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const OID_SECP256K1: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];
const OID_ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

/// Tag of a PEM block that a password protects.
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// Name of the identity that signs nothing.
pub const ANONYMOUS: &str = "anonymous";

/// Loads the identity that `--identity` names: a PEM file, the name of an identity of dfx or icp, or `anonymous`.
/// The password of an encrypted one is read from `password_file`, or asked for on the terminal.
///
/// # Errors
/// [`CliError::ReadIdentity`] or [`CliError::BadIdentity`].
pub fn load(name: &Path, password_file: Option<&Path>) -> Result<Arc<dyn Identity>, CliError> {
    if name.as_os_str() == ANONYMOUS {
        return Ok(Arc::new(AnonymousIdentity));
    }
    let path = find(name)?;
    let text = if dfx::is_encrypted(&path) {
        dfx::read(&path, password_file)?
    } else {
        Zeroizing::new(read_file(&path)?)
    };
    let bad = |reason: &'static str| CliError::BadIdentity {
        path: path.clone(),
        reason,
    };
    let blocks = pem::parse_many(&*text).map_err(|_| bad("it is not a PEM file"))?;
    match blocks.iter().find(|block| block.tag() == ENCRYPTED) {
        None => key(&text, &blocks).map_err(bad),
        Some(block) => {
            let password = password(&path, password_file)?;
            let plain = decrypt(block.contents(), &password).map_err(bad)?;
            let block = pem::parse(&*plain).map_err(|_| bad("what is encrypted is not a key"))?;
            key(plain.as_bytes(), &[block]).map_err(bad)
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|source| CliError::ReadIdentity {
        path: path.to_path_buf(),
        source,
    })
}

/// The key in `text`, read as what its curve says it is, so that no key is taken for one of another curve.
fn key(text: &[u8], blocks: &[pem::Pem]) -> Result<Arc<dyn Identity>, &'static str> {
    let names = |oid: &[u8]| {
        blocks
            .iter()
            .any(|block| block.contents().windows(oid.len()).any(|part| part == oid))
    };
    if names(OID_P256) {
        let identity = Prime256v1Identity::from_pem(text);
        return Ok(Arc::new(
            identity.map_err(|_| "the P-256 key in it cannot be read")?,
        ));
    }
    if names(OID_ED25519) {
        let identity = BasicIdentity::from_pem(text);
        return Ok(Arc::new(
            identity.map_err(|_| "the Ed25519 key in it cannot be read")?,
        ));
    }
    if names(OID_SECP256K1) {
        let identity = Secp256k1Identity::from_pem(text);
        return Ok(Arc::new(
            identity.map_err(|_| "the secp256k1 key in it cannot be read")?,
        ));
    }
    Err("it holds no Ed25519, secp256k1 or P-256 key")
}

/// The PEM text of a private key that `password` protects.
fn decrypt(der: &[u8], password: &str) -> Result<Zeroizing<String>, &'static str> {
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(der)
        .map_err(|_| "it is encrypted in a way that is not understood")?;
    let plain = encrypted
        .decrypt(password)
        .map_err(|_| "the password is wrong, or it is encrypted in a way that is not understood")?;
    let block = pem::Pem::new("PRIVATE KEY", plain.as_bytes());
    Ok(Zeroizing::new(pem::encode(&block)))
}

/// The password for the identity in `path`, without its line end.
fn password(path: &Path, file: Option<&Path>) -> Result<Zeroizing<String>, CliError> {
    let read_error = |path: &Path, source| CliError::ReadFile {
        path: path.to_path_buf(),
        source,
    };
    if let Some(file) = file {
        let text = std::fs::read_to_string(file).map_err(|source| read_error(file, source))?;
        let text = Zeroizing::new(text);
        return Ok(Zeroizing::new(
            text.trim_end_matches(['\r', '\n']).to_string(),
        ));
    }
    if !std::io::stderr().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(CliError::BadIdentity {
            path: path.to_path_buf(),
            reason: "it is encrypted, and there is no terminal to ask for its password on: give --password-file FILE",
        });
    }
    let question = format!("Password of {}: ", path.display());
    let text = rpassword::prompt_password(question).map_err(|source| read_error(path, source))?;
    Ok(Zeroizing::new(text))
}

/// The file that `name` stands for: itself if it is there, otherwise that of an identity of dfx or icp.
///
/// # Errors
/// [`CliError::UnknownIdentity`] when there is none.
fn find(name: &Path) -> Result<PathBuf, CliError> {
    if name.exists() || name.components().count() != 1 {
        return Ok(name.to_path_buf());
    }
    let variable = |key: &str| std::env::var_os(key).map(PathBuf::from);
    let text = name.to_string_lossy();
    let files = project::identity_files(&text, variable);
    if let Some(file) = files.iter().find(|file| file.exists()) {
        return Ok(file.clone());
    }
    Err(CliError::UnknownIdentity {
        name: text.into_owned(),
        looked: files
            .iter()
            .map(|file| file.display().to_string())
            .collect::<Vec<_>>()
            .join(", "),
    })
}

/// The identity that dfx and icp use if nothing is said, if they agree on one.
///
/// # Errors
/// [`CliError::AmbiguousIdentity`] when they do not agree.
pub fn default_name() -> Result<Option<PathBuf>, CliError> {
    let variable = |key: &str| std::env::var_os(key).map(PathBuf::from);
    let found = project::default_identities(variable);
    match found.as_slice() {
        [] => Ok(None),
        [(_, file)] => Ok(Some(file.clone())),
        [(first, one), (second, other), ..] => {
            let same = load(one, None).ok().and_then(|one| {
                let other = load(other, None).ok()?;
                Some(one.sender().ok()? == other.sender().ok()?)
            });
            match same {
                Some(true) => Ok(Some(one.clone())),
                _ => Err(CliError::AmbiguousIdentity {
                    first: first.clone(),
                    second: second.clone(),
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Keys made for this test with `openssl genpkey` and `openssl ecparam -genkey -noout`.
    const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIHnlENEbSzKtcxP4Sw7QPl3L2PI2yAzZJkZj4mI0F7RM
-----END PRIVATE KEY-----
";
    const SECP256K1_SEC1: &str = "-----BEGIN EC PRIVATE KEY-----
MHQCAQEEIA3EVUGdFCT94PkgwIfeu/ujCbbIerILxLqNfE72vpRZoAcGBSuBBAAK
oUQDQgAEL1Wd9caoz3NdKzeBmeKtGzmELN8SJ1gJlPnDSHEig6hQVxverpH7zme8
tl98Q5JeLDtWClR9iiaO2uh0OZCfng==
-----END EC PRIVATE KEY-----
";
    const P256_SEC1: &str = "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIDLCIbCTU4HbarYJbWeZOXbLwqLStXc40dXy9nLza8OmoAoGCCqGSM49
AwEHoUQDQgAElEiK4QrcMCLURx4t9sF+rj5nwMG2pRKLqxUQFj2xmWyiuZGENIRt
fFiHvJJWGsXzGZmRai++KiGlWsEAHLzCiw==
-----END EC PRIVATE KEY-----
";
    const P256_PKCS8: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMsIhsJNTgdtqtglt
Z5k5dsvCotK1dzjR1fL2cvNrw6ahRANCAASUSIrhCtwwItRHHi32wX6uPmfAwbal
EourFRAWPbGZbKK5kYQ0hG18WIe8klYaxfMZmZFqL74qIaVawQAcvMKL
-----END PRIVATE KEY-----
";

    fn principal(pem: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), pem).unwrap();
        load(file.path(), None).unwrap().sender().unwrap().to_text()
    }

    #[test]
    fn a_key_is_read_as_its_own_curve() {
        let expect = |identity: &dyn Identity| identity.sender().unwrap().to_text();
        assert_eq!(
            principal(ED25519),
            expect(&BasicIdentity::from_pem(ED25519).unwrap())
        );
        let k1 = Secp256k1Identity::from_pem(SECP256K1_SEC1).unwrap();
        assert_eq!(principal(SECP256K1_SEC1), expect(&k1));
        let p256 = Prime256v1Identity::from_pem(P256_PKCS8).unwrap();
        assert_eq!(principal(P256_PKCS8), expect(&p256));
        assert_eq!(
            principal(P256_SEC1),
            principal(P256_PKCS8),
            "one key in two spellings"
        );
    }

    // The Ed25519 key from above: `openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256` and `-scrypt`.
    const ENCRYPTED_PBKDF2: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiYi8GCglwmjgICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEH0I2mfdfA4528MOQwak/+UEQGXp
gE/zghhlSXZWrNdOTtVoL4JlY3yDi5Yo6SnQQJc97wR5l1cgQKQTY4/qGYTGPdk3
K8WktHylb9sj5U9HU1c=
-----END ENCRYPTED PRIVATE KEY-----
";
    const ENCRYPTED_SCRYPT: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGTME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAioGvMLDWEEZAICBAAC
AQgCAQEwHQYJYIZIAWUDBAEqBBAiobGEAg5Hxdor9oYZDzm0BEBiI/btG5L8Vpd/
IVWuHEn0JMn1piBHqgyrDkrFP0tVZa80Un4Tg94FNGC4lvEloZdrDN/SQKnD9vF/
u3Q1PRvh
-----END ENCRYPTED PRIVATE KEY-----
";

    #[test]
    fn an_encrypted_key_is_the_key_that_was_encrypted() {
        let folder = tempfile::tempdir().unwrap();
        let (file, password) = (
            folder.path().join("key.pem"),
            folder.path().join("password"),
        );
        for text in [ENCRYPTED_PBKDF2, ENCRYPTED_SCRYPT] {
            std::fs::write(&file, text).unwrap();
            std::fs::write(&password, "correct horse\n").unwrap();
            let identity = load(&file, Some(&password)).unwrap();
            assert_eq!(identity.sender().unwrap().to_text(), principal(ED25519));
            std::fs::write(&password, "wrong horse").unwrap();
            let error = load(&file, Some(&password)).err().unwrap().to_string();
            assert!(error.contains("password is wrong"), "{error}");
            assert!(!error.contains("horse"), "{error}");
        }
    }

    #[test]
    fn an_error_tells_nothing_of_the_content() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let broken = ED25519.replace('M', "Q");
        for text in ["correct horse battery staple", broken.as_str()] {
            std::fs::write(file.path(), text).unwrap();
            let error = load(file.path(), None).err().unwrap().to_string();
            assert!(error.contains(&file.path().display().to_string()));
            assert!(
                !text
                    .lines()
                    .any(|line| !line.is_empty() && error.contains(line)),
                "{error}"
            );
        }
    }
}
