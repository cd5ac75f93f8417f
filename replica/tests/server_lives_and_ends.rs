//! The process: what it says, where it writes its port, when it ends.
#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use common::{request, server_binary, wait_for_port};
use rustix::process::Signal;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn start(args: &[&str], port_file: &std::path::Path) -> Child {
    Command::new(server_binary())
        .args(args)
        .arg("--port-file")
        .arg(port_file)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for the end; a process that does not end is killed, and the test fails.
fn wait_for_end(child: &mut Child) -> std::process::ExitStatus {
    for _ in 0..3_000 {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("the server does not end");
}

#[test]
fn the_version_is_what_clients_look_for() {
    let output = Command::new(server_binary())
        .arg("--version")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, b"pocket-ic-server 16.1.0\n");
}

#[test]
fn the_first_line_says_that_it_is_a_stand_in() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start(&["--ttl", "0"], &dir.path().join("port"));
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.contains("stand-in"), "{line}");
    wait_for_end(&mut child);
}

#[test]
fn a_second_server_leaves_silently() {
    let dir = tempfile::tempdir().unwrap();
    let port_file = dir.path().join("port");
    let mut first = start(&["--ttl", "60"], &port_file);
    let port = wait_for_port(&port_file);
    let second = Command::new(server_binary())
        .arg("--port-file")
        .arg(&port_file)
        .output()
        .unwrap();
    assert!(second.status.success());
    assert!(second.stdout.is_empty() && second.stderr.is_empty());
    assert_eq!(wait_for_port(&port_file), port);
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn nobody_asking_ends_it_and_the_port_file_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let port_file = dir.path().join("port");
    let mut child = start(&["--ttl", "0"], &port_file);
    assert!(wait_for_end(&mut child).success());
    assert!(!port_file.exists());
}

#[test]
fn a_signal_ends_it_and_the_port_file_goes_with_it() {
    for signal in [Signal::INT, Signal::TERM] {
        let dir = tempfile::tempdir().unwrap();
        let port_file = dir.path().join("port");
        let mut child = start(&["--ttl", "600"], &port_file);
        wait_for_port(&port_file);
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, signal).unwrap();
        assert!(wait_for_end(&mut child).success());
        assert!(!port_file.exists());
    }
}

#[test]
fn the_hard_limit_ends_it_whatever_happens() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start(
        &["--ttl", "600", "--hard-ttl", "0"],
        &dir.path().join("port"),
    );
    assert!(wait_for_end(&mut child).success());
}

#[test]
fn a_network_that_is_ready_says_where_it_is_and_ends_with_stdin() {
    let mut child = Command::new(server_binary())
        .args(["--network-port", "0", "--ends-with-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let place: serde_json::Value = serde_json::from_str(&line).unwrap();
    let port = place["url"]
        .as_str()
        .and_then(|url| url.strip_prefix("http://127.0.0.1:"))
        .and_then(|rest| rest.strip_suffix('/'))
        .unwrap();
    let status = request(
        port.parse().unwrap(),
        "GET /api/v2/status",
        "localhost",
        "",
        b"",
    );
    assert_eq!(status.unwrap().status, 200);
    assert_eq!(place["root_key"].as_str().unwrap().len(), 266);
    assert!(child.try_wait().unwrap().is_none());
    drop(child.stdin.take());
    assert!(wait_for_end(&mut child).success());
}

#[test]
fn a_network_whose_port_is_taken_is_refused_with_the_reason() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = Command::new(server_binary())
        .args(["--network-port", &port])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("--network-port"), "{complaint}");
    assert!(output.stdout.is_empty());
}
