//! What an operation gave, and how it looks in a transcript.

use pocket_ic::{ErrorCode, RejectCode, RejectResponse};
use sha2::{Digest, Sha256};

/// Reply or reject of one call.
pub type Outcome = Result<Vec<u8>, RejectResponse>;

/// Longest reply shown in full, in bytes.
const SHOWN_LEN_BYTES: usize = 32;

/// The parts of a reject that tests look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The class.
    pub reject: RejectCode,
    /// The error.
    pub error: ErrorCode,
    /// Whether it was executed by consensus.
    pub certified: bool,
    /// The text.
    pub message: String,
}

impl Refused {
    /// Checks class, error, certification, and that the text holds `part`.
    #[track_caller]
    pub fn expect(&self, reject: RejectCode, error: ErrorCode, certified: bool, part: &str) {
        assert_eq!(
            (self.reject, self.error, self.certified),
            (reject, error, certified),
            "{}",
            self.message
        );
        assert!(
            self.message.contains(part),
            "{:?} lacks {part:?}",
            self.message
        );
    }

    /// Checks an error of a canister that was executed by consensus.
    #[track_caller]
    pub fn expect_error(&self, error: ErrorCode, part: &str) {
        self.expect(RejectCode::CanisterError, error, true, part);
    }

    /// Checks the refusal of a management call's argument.
    #[track_caller]
    pub fn expect_payload_error(&self, part: &str) {
        let error = ErrorCode::InvalidManagementPayload;
        self.expect(RejectCode::CanisterReject, error, true, part);
    }

    /// Checks an error that no consensus stands behind: of a query, or of a message on its way in.
    #[track_caller]
    pub fn expect_query_error(&self, error: ErrorCode, part: &str) {
        self.expect(RejectCode::CanisterError, error, false, part);
    }
}

/// The reject of a call that must not succeed.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(outcome: Result<T, RejectResponse>) -> Refused {
    let reject = outcome.expect_err("the call should have been refused");
    Refused {
        reject: reject.reject_code,
        error: reject.error_code,
        certified: reject.certified,
        message: reject.reject_message,
    }
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

/// An outcome on one line.
pub fn render(outcome: &Outcome) -> String {
    match outcome {
        Ok(bytes) => render_bytes(bytes),
        Err(reject) => render_reject(reject),
    }
}

/// A reply: short ones in hex, long ones by length and hash.
pub fn render_bytes(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        "ok".to_owned()
    } else if bytes.len() <= SHOWN_LEN_BYTES {
        format!("ok {}", hex::encode(bytes))
    } else {
        let digest = hex::encode(&sha256(bytes)[..8]);
        format!("ok {} bytes, sha256 {digest}…", bytes.len())
    }
}

/// A reject: codes, certified flag and text.
pub fn render_reject(reject: &RejectResponse) -> String {
    let certified = match reject.certified {
        true => "certified",
        false => "uncertified",
    };
    format!(
        "{:?} {:?} {certified}: {}",
        reject.reject_code,
        reject.error_code,
        reject.reject_message.replace('\n', "\\n")
    )
}
