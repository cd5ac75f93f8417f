//! What the agent sends its requests through: a server that says it is overloaded is asked again, a bounded number of
//! times, and that is told like every other repetition. Repeating a request is not repeating a call: it bears
//! the same number, and a replica executes it once.

use crate::limits::OVERLOADED_ATTEMPTS_MAX;
use crate::transfer::retry::Retry;
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use ic_agent::AgentError;
use ic_agent::agent::HttpService;
use std::sync::Arc;

/// An HTTP client and its patience.
#[derive(Debug)]
pub struct Overload {
    /// Sends.
    pub client: reqwest::Client,
    /// Takes note of what is repeated.
    pub retry: Arc<Retry>,
}

#[async_trait]
impl HttpService for Overload {
    async fn call<'a>(
        &'a self,
        request: &'a (dyn Fn() -> Result<Request<Bytes>, AgentError> + Send + Sync),
        max_retries: usize,
        size_limit: Option<usize>,
    ) -> Result<Response<Bytes>, AgentError> {
        let mut attempt = 1;
        loop {
            let answer = HttpService::call(&self.client, request, max_retries, size_limit).await?;
            let status = answer.status();
            if !is_overload(status) || attempt >= OVERLOADED_ATTEMPTS_MAX {
                return Ok(answer);
            }
            attempt += 1;
            self.retry
                .pause_after(&format!("the server is overloaded (HTTP {status})"))
                .await;
        }
    }
}

/// Whether the server has no time now.
fn is_overload(status: StatusCode) -> bool {
    [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ]
    .contains(&status)
}
