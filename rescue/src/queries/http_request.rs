//! `http_request`: `/` and `/metrics`, certified whole (version 2 of the gateway protocol).

use rescue_api::{HttpRequest, HttpResponse};
use serde_bytes::ByteBuf;

use crate::answer::headers;
use crate::publication;

/// Answers a request of an HTTP gateway.
pub fn http_request(request: &HttpRequest) -> HttpResponse {
    let path = request.url.split(['?', '#']).next().unwrap_or_default();
    if request.method != "GET" && request.method != "HEAD" {
        return plain(405, "Only GET and HEAD.\n");
    }
    match publication::page(path) {
        // A gateway leaves the body of an answer to HEAD away, after it has verified it.
        Some(page) => page.answer.to(path, ic_cdk::api::data_certificate()),
        None => plain(404, "The dashboard is turned off.\n"),
    }
}

fn plain(status_code: u16, text: &str) -> HttpResponse {
    HttpResponse {
        status_code,
        headers: headers("text/plain; charset=utf-8"),
        body: ByteBuf::from(text.as_bytes()),
    }
}
