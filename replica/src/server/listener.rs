//! Sockets: reads requests, hands them to blocking threads, delivers answers, whole or broken as ordered.

use super::Server;
use crate::http::gateway::Visit;
use crate::http::{self, Answer, Reply, Request};
use futures::StreamExt;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Time for the first part of a reply to leave before the connection is cut.
const FLUSH_PAUSE: Duration = Duration::from_millis(20);

type Body = BoxBody<Bytes, io::Error>;

/// What a port serves.
#[derive(Clone, Debug)]
pub enum Scope {
    /// Everything.
    Server,
    /// One instance: its HTTP interface at `/api`, its topology at `/_/topology`, the pages of its canisters elsewhere.
    Gateway {
        /// The instance.
        instance: usize,
        /// Hosts at and below which pages are served.
        domains: Arc<[String]>,
    },
}

/// Serves connections until the task is dropped.
pub async fn serve(server: Arc<Server>, listener: TcpListener, scope: Scope) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve_connection(server.clone(), stream, scope.clone()));
            }
            // Out of file descriptors, most likely: some will be closed.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve_connection(server: Arc<Server>, stream: TcpStream, scope: Scope) {
    // Requests and replies are small and follow each other: never wait for more bytes.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(server.clone(), request, scope.clone()));
    // An error is a client that went away or a connection cut on purpose: nobody is left to tell.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        // A client that pauses between two requests finds its connection as it left it: a blocking one would not
        // notice that it was closed before it uses it.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Answers one request; an error breaks the connection.
async fn answer(
    server: Arc<Server>,
    request: hyper::Request<Incoming>,
    scope: Scope,
) -> Result<hyper::Response<Body>, io::Error> {
    let _pending = server.lifetime.begin();
    let answer = match read(request, scope).await? {
        Ok(request) => tokio::task::spawn_blocking(move || http::handle(&server, request))
            .await
            .unwrap_or_else(|error| {
                Reply::error(500, format!("BUG: the request was not served: {error}")).into()
            }),
        Err(reply) => reply.into(),
    };
    deliver(answer).await
}

/// Reads a request to its end. The inner error is a reply to one that is too long.
async fn read(
    request: hyper::Request<Incoming>,
    scope: Scope,
) -> Result<Result<Request, Reply>, io::Error> {
    let (parts, body) = request.into_parts();
    let mut path = http::split_path(parts.uri.path());
    let visit = match scope {
        Scope::Server => None,
        Scope::Gateway { instance, domains } => {
            if path
                .first()
                .is_some_and(|first| first == "api" || first == "_")
            {
                path.splice(0..0, ["instances".to_owned(), instance.to_string()]);
                None
            } else {
                Some(visit(&parts, instance, domains))
            }
        }
    };
    let content_encoding = parts
        .headers
        .get(CONTENT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let limit_bytes = http::max_body_bytes(&path, visit.is_some());
    let body = match Limited::new(body, limit_bytes).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(Err(http::oversized_body(limit_bytes)));
        }
        Err(error) => return Err(io::Error::other(error)),
    };
    Ok(Ok(Request {
        method: parts.method,
        path,
        visit,
        content_encoding,
        body,
    }))
}

fn visit(parts: &Parts, instance: usize, domains: Arc<[String]>) -> Visit {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let authority = parts
        .uri
        .authority()
        .map(|authority| authority.as_str().to_owned());
    Visit {
        instance,
        domains,
        host: authority.or_else(|| parts.headers.get(HOST).and_then(text)),
        target: parts
            .uri
            .path_and_query()
            .map_or_else(|| "/".to_owned(), |target| target.as_str().to_owned()),
        headers: parts
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)))
            .collect(),
    }
}

async fn deliver(answer: Answer) -> Result<hyper::Response<Body>, io::Error> {
    let Answer { reply, delivery } = answer;
    if let Some(delay) = delivery.delay {
        tokio::time::sleep(delay).await;
    }
    let full_len_bytes = reply.body.len();
    let body = match delivery.cut_after_bytes {
        None => Full::new(Bytes::from(reply.body))
            .map_err(|never| match never {})
            .boxed(),
        Some(0) => return Err(cut()),
        Some(len_bytes) => {
            let mut sent = reply.body;
            sent.truncate(len_bytes);
            let first = futures::stream::once(async { Ok(Frame::data(Bytes::from(sent))) });
            let last = futures::stream::once(async {
                // What was written so far has to leave before the connection does.
                tokio::time::sleep(FLUSH_PAUSE).await;
                Err(cut())
            });
            BodyExt::boxed(StreamBody::new(first.chain(last)))
        }
    };
    let mut response = hyper::Response::builder()
        .status(reply.status)
        .body(body)
        .map_err(io::Error::other)?;
    let headers = response.headers_mut();
    for (name, value) in &reply.headers {
        let name = HeaderName::try_from(name.as_ref()).map_err(io::Error::other)?;
        let value = HeaderValue::try_from(value).map_err(io::Error::other)?;
        headers.append(name, value);
    }
    if let Some(content_type) = reply.content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    let cors = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, OPTIONS"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "*"),
    ];
    for (name, value) in cors {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if delivery.cut_after_bytes.is_some() {
        // The whole length is announced, so that the client knows it did not get it.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(full_len_bytes));
    }
    Ok(response)
}

fn cut() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "cut on request of a fault plan",
    )
}
