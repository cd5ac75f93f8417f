//! The process: what it says, where it writes its port, when it ends.
#![allow(clippy::unwrap_used)] // a panic is the report

mod common;

use common::{server_binary, wait_for_port};
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
