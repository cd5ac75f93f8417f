//! Identities from PEM files: Ed25519, secp256k1 and P-256, in PKCS#8 or SEC1 form.
//!
//! Key material stays in here: errors name the file and what is wrong with it, never its content.

use crate::error::CliError;
use crate::project;
use ic_agent::Identity;
use ic_agent::identity::{AnonymousIdentity, BasicIdentity, Prime256v1Identity, Secp256k1Identity};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Object identifiers of curves, as they stand in DER.
const OID_P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const OID_SECP256K1: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];
const OID_ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

/// Name of the identity that signs nothing.
pub const ANONYMOUS: &str = "anonymous";

/// Loads the identity that `--identity` names: a PEM file, or `anonymous`.
///
/// # Errors
/// [`CliError::ReadIdentity`] or [`CliError::BadIdentity`].
pub fn load(name: &Path) -> Result<Arc<dyn Identity>, CliError> {
    if name.as_os_str() == ANONYMOUS {
        return Ok(Arc::new(AnonymousIdentity));
    }
    let path = find(name);
    let text = std::fs::read(&path).map_err(|source| CliError::ReadIdentity {
        path: path.clone(),
        source,
    })?;
    let bad = |reason: &'static str| CliError::BadIdentity {
        path: path.clone(),
        reason,
    };
    let blocks = pem::parse_many(&text).map_err(|_| bad("it is not a PEM file"))?;
    if blocks
        .iter()
        .any(|block| block.tag() == "ENCRYPTED PRIVATE KEY")
    {
        return Err(bad(
            "it is encrypted; decrypt it first (openssl pkey -in FILE -out PLAIN)",
        ));
    }
    let names = |oid: &[u8]| {
        blocks
            .iter()
            .any(|block| block.contents().windows(oid.len()).any(|part| part == oid))
    };
    // A key is read as what its curve says it is, so that no key is taken for one of another curve.
    if names(OID_P256) {
        let identity = Prime256v1Identity::from_pem(&text);
        return Ok(Arc::new(
            identity.map_err(|_| bad("the P-256 key in it cannot be read"))?,
        ));
    }
    if names(OID_ED25519) {
        let identity = BasicIdentity::from_pem(&text);
        return Ok(Arc::new(
            identity.map_err(|_| bad("the Ed25519 key in it cannot be read"))?,
        ));
    }
    if names(OID_SECP256K1) {
        let identity = Secp256k1Identity::from_pem(&text);
        return Ok(Arc::new(
            identity.map_err(|_| bad("the secp256k1 key in it cannot be read"))?,
        ));
    }
    Err(bad("it holds no Ed25519, secp256k1 or P-256 key"))
}

/// The file that `name` stands for: itself if it is there, otherwise that of an identity of dfx or icp.
fn find(name: &Path) -> PathBuf {
    if name.exists() || name.components().count() != 1 {
        return name.to_path_buf();
    }
    let variable = |key: &str| std::env::var_os(key).map(PathBuf::from);
    let files = project::identity_files(&name.to_string_lossy(), variable);
    files
        .into_iter()
        .find(|file| file.exists())
        .unwrap_or_else(|| name.to_path_buf())
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
        load(file.path()).unwrap().sender().unwrap().to_text()
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

    #[test]
    fn an_error_tells_nothing_of_the_content() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let broken = ED25519.replace('M', "Q");
        for text in ["correct horse battery staple", broken.as_str()] {
            std::fs::write(file.path(), text).unwrap();
            let error = load(file.path()).err().unwrap().to_string();
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
