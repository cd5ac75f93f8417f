//! Repeats what may pass, with growing pauses and an end.

use crate::error::{CallError, CallErrorKind, CliError};
use crate::limits::{ATTEMPTS_MAX, BACKOFF_FIRST, BACKOFF_MAX};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often and how patiently.
#[derive(Debug)]
pub struct Retry {
    /// Attempts in all.
    pub attempts_max: u32,
    /// Pause before the second attempt; doubled each time.
    pub backoff_first: Duration,
    /// Longest pause.
    pub backoff_max: Duration,
    /// Attempts beyond the first, of all calls together.
    pub repeated: AtomicU64,
    /// Why the last of them was needed.
    pub last: Mutex<Option<String>>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts_max: ATTEMPTS_MAX,
            backoff_first: BACKOFF_FIRST,
            backoff_max: BACKOFF_MAX,
            repeated: AtomicU64::new(0),
            last: Mutex::new(None),
        }
    }
}

impl Retry {
    /// Calls until it succeeds, is rejected, or has been tried often enough.
    ///
    /// # Errors
    /// [`CliError::Rejected`] or [`CliError::Unreachable`].
    pub async fn run<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T, CliError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let mut pause = self.backoff_first;
        for attempt in 1.. {
            match call().await {
                Ok(value) => return Ok(value),
                Err(error) if error.kind == CallErrorKind::Rejected => {
                    return Err(CliError::Rejected(error));
                }
                Err(error) if attempt >= self.attempts_max => {
                    return Err(CliError::Unreachable {
                        error,
                        attempts: attempt,
                    });
                }
                Err(error) => {
                    self.note(&error.to_string());
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(self.backoff_max);
                }
            }
        }
        unreachable!("BUG: the loop ends by returning")
    }

    /// Takes note of a reply that was found wrong after it had been understood, and pauses before it is asked
    /// for again.
    pub async fn pause_after(&self, wrong: &str) {
        self.note(wrong);
        tokio::time::sleep(self.backoff_first).await;
    }

    fn note(&self, reason: &str) {
        self.repeated.fetch_add(1, Ordering::Relaxed);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_string());
    }

    /// Why a call was repeated last; none if none was.
    pub fn last(&self) -> Option<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    /// Attempts beyond the first so far.
    pub fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: CallErrorKind) -> CallError {
        CallError {
            canister: "c".into(),
            method: "m".into(),
            message: "no".into(),
            kind,
        }
    }

    fn impatient() -> Retry {
        Retry {
            backoff_first: Duration::ZERO,
            ..Retry::default()
        }
    }

    #[tokio::test]
    async fn what_passes_is_repeated() {
        let retry = impatient();
        let mut left = 3;
        let result = retry
            .run(|| {
                left -= 1;
                let fails = left > 0;
                async move {
                    if fails {
                        Err(error(CallErrorKind::Temporary))
                    } else {
                        Ok(7)
                    }
                }
            })
            .await;
        assert_eq!(result.unwrap(), 7);
        assert_eq!(retry.repeated(), 2);
        assert_eq!(retry.last().unwrap(), "m of c: no");
    }

    #[tokio::test]
    async fn a_rejection_is_not_repeated() {
        let retry = impatient();
        let result: Result<(), _> = retry
            .run(|| async { Err(error(CallErrorKind::Rejected)) })
            .await;
        assert!(matches!(result, Err(CliError::Rejected(_))));
        assert_eq!(retry.repeated(), 0);
        assert_eq!(retry.last(), None);
    }

    #[tokio::test]
    async fn there_is_an_end() {
        let result: Result<(), _> = impatient()
            .run(|| async { Err(error(CallErrorKind::Temporary)) })
            .await;
        assert!(matches!(
            result,
            Err(CliError::Unreachable {
                attempts: ATTEMPTS_MAX,
                ..
            })
        ));
    }
}
