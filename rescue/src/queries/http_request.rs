//! `http_request`: `/` and `/metrics`, with the certificate over their bodies.
//!
//! The certification is the gateway protocol's version 1: it covers the body, not the headers.

use rescue_api::{HttpRequest, HttpResponse};
use serde_bytes::ByteBuf;

use crate::store::settings;
use crate::{certification, publication};

/// Answers a request of an HTTP gateway.
pub fn http_request(request: &HttpRequest) -> HttpResponse {
    let path = request.url.split(['?', '#']).next().unwrap_or_default();
    if !settings::get().dashboard {
        return plain(404, "The dashboard is turned off.\n");
    }
    if request.method != "GET" && request.method != "HEAD" {
        return plain(405, "Only GET and HEAD.\n");
    }
    let Some(page) = publication::page(path) else {
        return plain(404, "There are / and /metrics.\n");
    };
    let mut response = plain(200, "");
    response.headers = security_headers(page.content_type);
    if let Some(certificate) = ic_cdk::api::data_certificate() {
        let value = format!(
            "certificate=:{}:, tree=:{}:",
            base64(&certificate),
            base64(&certification::page_witness(page.path))
        );
        response.headers.push(("IC-Certificate".to_string(), value));
    }
    if request.method == "GET" {
        response.body = ByteBuf::from(page.body.into_bytes());
    }
    response
}

fn plain(status_code: u16, text: &str) -> HttpResponse {
    HttpResponse {
        status_code,
        headers: security_headers("text/plain; charset=utf-8"),
        body: ByteBuf::from(text.as_bytes().to_vec()),
    }
}

fn security_headers(content_type: &str) -> Vec<(String, String)> {
    [
        ("Content-Type", content_type),
        (
            "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
        ),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    ]
    .map(|(name, value)| (name.to_string(), value.to_string()))
    .to_vec()
}

/// Base64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let number = group
            .iter()
            .chain(&[0, 0])
            .take(3)
            .fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        for place in 0..4 {
            if place <= group.len() {
                let sextet = number >> (18 - 6 * place) & 63;
                text.push(char::from(ALPHABET[sextet]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (bytes, text) in cases {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
