//! Typed calls to the rescue canister.

use crate::agent::Connection;
use crate::error::{CallError, CallErrorKind, CliError};
use crate::transfer::retry::Retry;
use candid::utils::{ArgumentDecoder, ArgumentEncoder};
use candid::{CandidType, Principal};
use rescue_api::{CaseId, CaseView, Refusal, methods};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The rescue canister, as one caller sees it.
#[derive(Clone, Debug)]
pub struct Rescue {
    connection: Connection,
    canister: Principal,
    retry: Arc<Retry>,
}

/// A refusal is an answer, too: some are handled, the others end the command.
pub type Answered<T> = Result<Result<T, Refusal>, CliError>;

impl Rescue {
    /// The rescue canister `canister`.
    pub fn new(connection: Connection, canister: Principal, retry: Arc<Retry>) -> Self {
        Self {
            connection,
            canister,
            retry,
        }
    }

    /// Its id.
    pub fn canister(&self) -> Principal {
        self.canister
    }

    /// Asks for a step and returns the answer, refusals included. A lost reply leads to a second call: the
    /// canister settles what the first one did.
    ///
    /// # Errors
    /// When the call fails or the reply is not understood.
    pub async fn ask<A, T>(&self, method: &str, args: A) -> Answered<T>
    where
        A: ArgumentEncoder,
        T: CandidType + DeserializeOwned,
    {
        let arg = encode(args);
        let reply = self
            .retry
            .run(|| self.connection.update(self.canister, method, arg.clone()))
            .await?;
        let (answer,): (Result<T, Refusal>,) = self.decode(method, &reply)?;
        Ok(answer)
    }

    /// Asks for a step; a refusal is an error.
    ///
    /// # Errors
    /// As [`Rescue::ask`], and [`CliError::Refused`].
    pub async fn step<A, T>(&self, method: &str, args: A) -> Result<T, CliError>
    where
        A: ArgumentEncoder,
        T: CandidType + DeserializeOwned,
    {
        self.ask(method, args)
            .await?
            .map_err(|refusal| self.refused(method, refusal))
    }

    /// Patience with its replies.
    pub fn retry(&self) -> &Retry {
        &self.retry
    }

    /// Looks at something through one node. A reply that is not understood is asked for again: another node
    /// may answer better.
    ///
    /// # Errors
    /// As [`Rescue::step`].
    pub async fn look<A, T>(&self, method: &str, args: A) -> Result<T, CliError>
    where
        A: ArgumentEncoder,
        T: CandidType + DeserializeOwned,
    {
        let arg = encode(args);
        let look = || async {
            let query = self.connection.query(self.canister, method, arg.clone());
            let reply = query.await?;
            candid::utils::decode_args(&reply).map_err(|error| CallError {
                canister: self.canister.to_text(),
                method: method.to_string(),
                message: format!("the reply is not understood: {error}"),
                kind: CallErrorKind::Temporary,
            })
        };
        let (answer,): (Result<T, Refusal>,) = self.retry.run(look).await?;
        answer.map_err(|refusal| self.refused(method, refusal))
    }

    /// A case as the whole subnet sees it: the reply is certified.
    ///
    /// # Errors
    /// As [`Rescue::step`].
    pub async fn case(&self, case: CaseId) -> Result<CaseView, CliError> {
        self.step(methods::GET_CASE, (case,)).await
    }

    /// A refusal as an error.
    pub fn refused(&self, method: &str, refusal: Refusal) -> CliError {
        CliError::Refused {
            rescue: self.canister.to_text(),
            method: method.to_string(),
            refusal: Box::new(refusal),
        }
    }

    fn decode<T: for<'a> ArgumentDecoder<'a>>(
        &self,
        method: &str,
        reply: &[u8],
    ) -> Result<T, CliError> {
        candid::utils::decode_args(reply).map_err(|error| CliError::BadReply {
            canister: self.canister.to_text(),
            method: method.to_string(),
            reason: error.to_string(),
        })
    }
}

/// Candid bytes of `args`.
pub fn encode<A: ArgumentEncoder>(args: A) -> Vec<u8> {
    candid::utils::encode_args(args).expect("BUG: our own types encode")
}
