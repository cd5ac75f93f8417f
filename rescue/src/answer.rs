//! An HTTP answer that is certified whole: status, headers and body (version 2 of the gateway protocol).

use ic_http_certification::utils::add_v2_certificate_header;
use ic_http_certification::{
    CERTIFICATE_EXPRESSION_HEADER_NAME, DefaultCelBuilder, DefaultResponseCertification,
    DefaultResponseOnlyCelExpression, HttpCertification, HttpCertificationPath,
    HttpCertificationTreeEntry, HttpResponse, StatusCode,
};
use serde_bytes::ByteBuf;

use crate::certification;

/// What an answer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// This path.
    Exactly(&'static str),
    /// Every path that has no answer of its own.
    Anywhere,
}

/// An answer and what certifies it.
#[derive(Clone, Debug)]
pub struct Answer {
    place: Place,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    certification: HttpCertification,
}

impl Place {
    fn path(self) -> HttpCertificationPath<'static> {
        match self {
            Self::Exactly(path) => HttpCertificationPath::exact(path),
            Self::Anywhere => HttpCertificationPath::wildcard(""),
        }
    }
}

impl Answer {
    /// An answer with the headers that all have.
    #[must_use]
    pub fn new(place: Place, status: u16, content_type: &str, body: String) -> Self {
        let expression = expression();
        let mut headers = headers(content_type);
        headers.push((
            CERTIFICATE_EXPRESSION_HEADER_NAME.to_string(),
            expression.to_string(),
        ));
        let response = response(status, headers.clone(), body.as_bytes());
        let certification = HttpCertification::response_only(&expression, &response, None)
            .expect("BUG: the answer has the expression that it is certified by");
        Self {
            place,
            status,
            headers,
            body,
            certification,
        }
    }

    /// What goes into the certified tree.
    #[must_use]
    pub fn entry(&self) -> HttpCertificationTreeEntry<'static> {
        HttpCertificationTreeEntry::new(self.place.path(), self.certification)
    }

    /// The answer to a request for `path`, with the certificate if there is one.
    #[must_use]
    pub fn to(&self, path: &str, certificate: Option<Vec<u8>>) -> rescue_api::HttpResponse {
        let mut response = response(self.status, self.headers.clone(), self.body.as_bytes());
        if let Some(certificate) = certificate {
            let witness = certification::page_witness(&self.entry(), path);
            let expression_path = self.place.path().to_expr_path();
            add_v2_certificate_header(&certificate, &mut response, &witness, &expression_path);
        }
        rescue_api::HttpResponse {
            status_code: self.status,
            headers: response.headers().to_vec(),
            body: ByteBuf::from(self.body.as_bytes()),
        }
    }
}

fn response(status: u16, headers: Vec<(String, String)>, body: &[u8]) -> HttpResponse<'_> {
    HttpResponse::builder()
        .with_status_code(StatusCode::from_u16(status).expect("BUG: statuses are constants"))
        .with_headers(headers)
        .with_body(body)
        .build()
}

/// All headers are certified, and the request is not: what it asks for beyond the path changes nothing.
fn expression() -> DefaultResponseOnlyCelExpression<'static> {
    DefaultCelBuilder::response_only_certification()
        .with_response_certification(DefaultResponseCertification::response_header_exclusions(
            Vec::new(),
        ))
        .build()
}

/// The headers of every answer: nothing runs, nothing comes from elsewhere, nobody frames or keeps it.
#[must_use]
pub fn headers(content_type: &str) -> Vec<(String, String)> {
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
