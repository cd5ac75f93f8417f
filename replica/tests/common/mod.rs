//! A server of our own for each test, a canister to talk to, and HTTP without a client that could hide anything.
#![allow(dead_code)] // each test binary uses its part

use candid::Principal;
use pocket_ic::{PocketIc, PocketIcBuilder};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The binary under test.
pub fn server_binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_pocket-ic-server"))
}

/// What a real server wants to see: the kind of body, and no answer before the operation is done.
const REST_HEADERS: &str = "content-type: application/json\r\nprocessing-timeout-ms: 300000\r\n";

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    pub port: u16,
    _dir: tempfile::TempDir,
}

impl Server {
    pub fn start() -> Self {
        Self::start_binary(&server_binary())
    }

    /// Starts another server.
    pub fn start_binary(binary: &std::path::Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port_file = dir.path().join("port");
        let child = Command::new(binary)
            .args(["--ttl", "120", "--port-file"])
            .arg(&port_file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = wait_for_port(&port_file);
        Self {
            child,
            port,
            _dir: dir,
        }
    }

    pub fn url(&self) -> reqwest::Url {
        format!("http://127.0.0.1:{}/", self.port).parse().unwrap()
    }

    /// An instance with one application subnet, in its own time.
    pub fn instance(&self) -> PocketIc {
        self.builder().with_application_subnet().build()
    }

    pub fn builder(&self) -> PocketIcBuilder {
        PocketIcBuilder::new().with_server_url(self.url())
    }

    /// One request over a connection of its own.
    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> io::Result<Response> {
        request(
            self.port,
            &format!("{method} {path}"),
            "localhost",
            REST_HEADERS,
            body,
        )
    }

    pub fn post(&self, path: &str, body: &[u8]) -> Response {
        self.request("POST", path, body).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request to a port of this machine over a connection of its own; `more_headers` end in line breaks.
pub fn request(
    port: u16,
    line: &str,
    host: &str,
    more_headers: &str,
    body: &[u8],
) -> io::Result<Response> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let head = format!(
        "{line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n{more_headers}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    // A server that refuses a body need not read it.
    let _ = stream.write_all(body);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse_response(&bytes)
}

/// The port a server has written.
pub fn wait_for_port(port_file: &std::path::Path) -> u16 {
    for _ in 0..3_000 {
        if let Ok(text) = std::fs::read_to_string(port_file)
            && let Some(port) = text.strip_suffix('\n')
        {
            return port.parse().unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no port in {}", port_file.display());
}

/// Status and body, as they came.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub announced_len_bytes: usize,
    /// Status line and headers, in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn parse_response(bytes: &[u8]) -> io::Result<Response> {
    let no_response = || io::Error::new(io::ErrorKind::UnexpectedEof, "no response");
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or_else(no_response)?;
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let announced = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|len| len.trim().parse().ok());
    Ok(Response {
        status: status.ok_or_else(no_response)?,
        announced_len_bytes: announced.unwrap_or_default(),
        head,
        body: bytes[end + 4..].to_vec(),
    })
}

/// A counter that survives upgrades in stable memory, an echo, and certified data.
///
/// `inc` adds one and certifies the new value, `read` replies it (4 bytes, little endian), `echo` replies its argument,
/// `certificate` replies the data certificate, `trap` traps.
pub fn counter_module() -> Vec<u8> {
    wat::parse_str(
        r#"(module
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
            (import "ic0" "msg_arg_data_size" (func $arg_size (result i32)))
            (import "ic0" "msg_arg_data_copy" (func $arg_copy (param i32 i32 i32)))
            (import "ic0" "stable64_grow" (func $grow (param i64) (result i64)))
            (import "ic0" "stable64_write" (func $write (param i64 i64 i64)))
            (import "ic0" "stable64_read" (func $read (param i64 i64 i64)))
            (import "ic0" "certified_data_set" (func $certify (param i32 i32)))
            (import "ic0" "data_certificate_size" (func $cert_size (result i32)))
            (import "ic0" "data_certificate_copy" (func $cert_copy (param i32 i32 i32)))
            (import "ic0" "trap" (func $trap (param i32 i32)))
            (memory 40)
            (data (i32.const 16) "on purpose")
            (func (export "canister_init") (drop (call $grow (i64.const 1))))
            (func (export "canister_pre_upgrade")
                (call $write (i64.const 0) (i64.const 0) (i64.const 4)))
            (func (export "canister_post_upgrade")
                (call $read (i64.const 0) (i64.const 0) (i64.const 4)))
            (func $read_counter (export "canister_query read")
                (call $append (i32.const 0) (i32.const 4))
                (call $reply))
            (func (export "canister_update inc")
                (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
                (call $certify (i32.const 0) (i32.const 4))
                (call $read_counter))
            (func $echo
                (call $arg_copy (i32.const 64) (i32.const 0) (call $arg_size))
                (call $append (i32.const 64) (call $arg_size))
                (call $reply))
            (func (export "canister_update echo") (call $echo))
            (func (export "canister_query echo_query") (call $echo))
            (func (export "canister_query certificate")
                (call $cert_copy (i32.const 64) (i32.const 0) (call $cert_size))
                (call $append (i32.const 64) (call $cert_size))
                (call $reply))
            (func (export "canister_update trap") (call $trap (i32.const 16) (i32.const 10))))"#,
    )
    .unwrap()
}

/// Installs the counter on the instance; the anonymous principal controls it.
pub fn install_counter(pic: &PocketIc) -> Principal {
    let canister = pic.create_canister();
    pic.add_cycles(canister, 10_000_000_000_000);
    pic.install_canister(canister, counter_module(), Vec::new(), None);
    canister
}
