//! A real browser without a window, spoken to by its debugging protocol over two pipes.
//!
//! The browser is `IC_RESCUE_CHROMIUM_BIN`. It gets a profile of its own, which is removed with it, and is
//! told to fetch nothing for itself. One page at a time, in the size of a telephone.

use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const VARIABLE: &str = "IC_RESCUE_CHROMIUM_BIN";

/// Width of a small telephone, CSS pixels.
pub const WIDTH: u64 = 360;
const HEIGHT: u64 = 740;

/// A browser with a page.
pub struct Browser {
    process: Child,
    requests: File,
    answers: BufReader<File>,
    next_id: u64,
    session: Option<String>,
    /// Addresses that the page has asked for.
    pub asked_for: Vec<String>,
    _profile: TempDir,
}

impl Browser {
    /// Starts the browser.
    ///
    /// # Panics
    /// If there is none.
    pub fn start() -> Browser {
        let program = std::env::var_os(VARIABLE)
            .unwrap_or_else(|| panic!("{VARIABLE} must name a Chromium; `cargo xtask test` does"));
        let profile = tempfile::tempdir().unwrap();
        let [to, from] = ["to", "from"].map(|name| {
            let pipe = profile.path().join(name);
            make_pipe(&pipe);
            pipe
        });
        // The protocol is spoken over descriptors 3 and 4.
        let process = Command::new("sh")
            .args([
                "-c",
                r#"to=$1; from=$2; shift 2; exec "$@" 3<"$to" 4>"$from""#,
                "sh",
            ])
            .args([&to, &from])
            .arg(program)
            .args([
                "--headless",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let requests = File::options().write(true).open(&to).unwrap();
        let answers = BufReader::new(File::open(&from).unwrap());
        let mut browser = Browser {
            process,
            requests,
            answers,
            next_id: 1,
            session: None,
            asked_for: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        let telephone = json!({
            "width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 2, "mobile": true,
        });
        browser.call("Emulation.setDeviceMetricsOverride", telephone);
        browser.call("Network.enable", json!({}));
        browser.call("Page.enable", json!({}));
        browser
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
        while self.receive()["method"] != "Page.loadEventFired" {}
    }

    /// What an expression is in the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let args = json!({ "expression": expression, "returnByValue": true });
        self.call("Runtime.evaluate", args)["result"]["value"].take()
    }

    /// A picture of the whole page (PNG, base64).
    pub fn picture(&mut self) -> String {
        let args = json!({ "captureBeyondViewport": true });
        let picture = self.call("Page.captureScreenshot", args);
        picture["data"].as_str().unwrap().to_owned()
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.requests
            .write_all(format!("{message}\0").as_bytes())
            .unwrap();
        loop {
            let mut answer = self.receive();
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    /// The next message, which may be about something that happened.
    fn receive(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.answers.read_until(0, &mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser has gone");
        let message: Value = serde_json::from_slice(&bytes).unwrap();
        if message["method"] == "Network.requestWillBeSent" {
            let url = &message["params"]["request"]["url"];
            self.asked_for.push(url.as_str().unwrap().to_owned());
        }
        message
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success(), "mkfifo {}", path.display());
}
