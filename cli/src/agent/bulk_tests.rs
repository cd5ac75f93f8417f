//! What answers of every kind come to: cut out of a good one, sorted and told apart where it is none.

use super::*;
use serde_cbor::Value;
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn map(entries: &[(&str, Value)]) -> Value {
    let entries = entries.iter().cloned();
    Value::Map(
        entries
            .map(|(key, value)| (Value::Text(key.into()), value))
            .collect::<BTreeMap<_, _>>(),
    )
}

fn encode(value: &Value) -> Vec<u8> {
    serde_cbor::to_vec(value).unwrap()
}

fn replied(data: &[u8]) -> Vec<u8> {
    encode(&map(&[
        ("status", Value::Text("replied".into())),
        ("reply", map(&[("arg", Value::Bytes(data.to_vec()))])),
        (
            "signatures",
            Value::Array(vec![map(&[("signature", Value::Bytes(vec![7; 64]))])]),
        ),
    ]))
}

fn rejected(code: i128) -> Vec<u8> {
    encode(&map(&[
        ("status", Value::Text("rejected".into())),
        ("reject_code", Value::Integer(code)),
        ("reject_message", Value::Text("not today\n".into())),
        ("error_code", Value::Text("IC0503".into())),
    ]))
}

/// Answers one request with `head` and `body` as they stand, then hangs up.
async fn answer(head: String, body: Vec<u8>) -> Result<Bytes, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let read = stream.read(&mut request).await.unwrap();
        // A client that has seen enough may be gone already.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(&body).await;
        request.truncate(read);
        request
    });
    let client = reqwest::Client::new();
    let result = fetch(&client, &Arc::default(), url, b"signed".to_vec()).await;
    let request = String::from_utf8(server.await.unwrap()).unwrap();
    assert!(request.contains("application/cbor"), "{request}");
    result
}

fn head(status: &str, len_bytes: usize) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {len_bytes}\r\nconnection: close\r\n\r\n")
}

#[tokio::test]
async fn the_reply_is_cut_out_of_the_answer() {
    let data: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    let body = replied(&data);
    let found = answer(head("200 OK", body.len()), body).await.unwrap();
    assert_eq!(found, data);
}

#[tokio::test]
async fn an_empty_reply_is_a_reply() {
    let body = replied(&[]);
    let found = answer(head("200 OK", body.len()), body).await.unwrap();
    assert!(found.is_empty());
}

#[test]
fn a_rejection_is_final_unless_it_passes() {
    let kind = |code| find_reply(&rejected(code)).unwrap_err();
    let text = "not today (IC0503)".to_string();
    assert_eq!(kind(2), (CallErrorKind::Temporary, text.clone()));
    for code in [1, 3, 4, 5] {
        assert_eq!(kind(code), (CallErrorKind::Rejected, text.clone()));
    }
}

#[test]
fn nonsense_is_asked_for_again() {
    let whole = replied(b"data");
    for body in [
        &b""[..],
        b"<html>",
        &whole[..whole.len() - 1],
        &encode(&map(&[])),
    ] {
        let (kind, message) = find_reply(body).unwrap_err();
        assert_eq!(kind, CallErrorKind::Temporary, "{message}");
    }
}

#[tokio::test]
async fn what_a_busy_gateway_says_passes_and_a_refusal_does_not() {
    let statuses = [
        ("503 Service Unavailable", CallErrorKind::Temporary),
        ("429 Too Many Requests", CallErrorKind::Temporary),
        ("500 Internal Server Error", CallErrorKind::Temporary),
        ("400 Bad Request", CallErrorKind::Rejected),
        ("403 Forbidden", CallErrorKind::Rejected),
    ];
    for (status, expected) in statuses {
        let (kind, message) = answer(head(status, 5), b"why?\n".to_vec())
            .await
            .unwrap_err();
        assert_eq!(kind, expected, "{status}");
        assert_eq!(message, format!("HTTP status {status}: why?"));
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again() {
    let mut body = replied(&[1; 5_000]);
    let announced = head("200 OK", body.len());
    body.truncate(3_000);
    let (kind, _) = answer(announced, body).await.unwrap_err();
    assert_eq!(kind, CallErrorKind::Temporary);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let body = vec![0; RESPONSE_MAX_BYTES + 1];
    let (kind, message) = answer(head("200 OK", usize::MAX >> 1), body)
        .await
        .unwrap_err();
    assert_eq!(kind, CallErrorKind::Temporary);
    assert!(message.contains("more than"), "{message}");
}
