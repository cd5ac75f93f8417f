//! Identities as users have them: those of icp and of dfx, plain and protected by a password, the default one. The
//! password comes from a file or from the terminal. Nothing secret is ever printed.

use candid::Principal;
use ic_agent::Identity;
use ic_agent::identity::BasicIdentity;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tests::icp::{Icp, OPERATOR};
use tests::{World, cli};

const PASSWORD: &str = "a password nobody else has";

#[test]
fn identities_of_icp_and_dfx_are_used_by_their_names_and_nothing_secret_is_printed() {
    let world = World::new();
    let canister = world.create_canister().to_text();
    let icp = Icp::new(&world);
    let password = world.folder.path().join("password");
    fs::write(&password, PASSWORD).unwrap();
    icp.succeed(&[
        &"identity",
        &"import",
        &"locked",
        &"--storage",
        &"password",
        &"--storage-password-file",
        &password,
        &"--from-pem",
        &world.operator.pem_file,
    ]);
    icp.succeed(&[&"identity", &"default", &OPERATOR]);
    let dfx = icp.home().join(".config/dfx/identity/alice");
    fs::create_dir_all(&dfx).unwrap();
    fs::copy(&world.operator.pem_file, dfx.join("identity.pem")).unwrap();

    let key = fs::read_to_string(&world.operator.pem_file).unwrap();
    let key = key.lines().nth(1).unwrap().to_string();
    let password = password.to_str().unwrap();
    let run = |args: &[&str]| {
        let output = Command::new(cli::binary())
            .args(["snapshot", "list", &canister, "--network", &world.url()])
            .args(["--verbose", "--json"])
            .args(args)
            .env_clear()
            .env("HOME", icp.home())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        for secret in [key.as_str(), &key[20..44], PASSWORD] {
            assert!(!said.contains(secret), "{args:?}: {said}");
        }
        (output.status.success(), said)
    };
    for args in [
        vec![],
        vec!["--identity", OPERATOR],
        vec!["--identity", "alice"],
        vec!["--identity", "locked", "--password-file", password],
    ] {
        let (success, said) = run(&args);
        assert!(
            success && said.contains("0 of at most 10"),
            "{args:?}: {said}"
        );
    }
    let (success, said) = run(&["--identity", "locked"]);
    assert!(!success && said.contains("--password-file"), "{said}");
    let wrong = world.operator.pem_file.to_str().unwrap();
    let (success, said) = run(&["--identity", "locked", "--password-file", wrong]);
    assert!(!success && said.contains("password is wrong"), "{said}");
    let (success, said) = run(&["--identity", "nobody"]);
    assert!(!success && said.contains("keys/nobody.pem"), "{said}");
    let (success, said) = run(&["--identity", "anonymous"]);
    assert!(!success, "{said}");
}

/// The password of the identity in `tests/golden/dfx_identity`.
const DFX_PASSWORD: &str = "correct horse";
/// Longest wait for a word on the terminal, in milliseconds.
const PATIENCE_MS: u64 = 120_000;

/// A home with `bob`, whom dfx keeps encrypted, `carol`, whom it keeps in the system's keyring, and a canister that bob
/// controls, too.
struct Encrypted {
    world: World,
    canister: Principal,
    home: PathBuf,
}

impl Encrypted {
    fn new() -> Encrypted {
        let world = World::new();
        let canister = world.create_canister();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/dfx_identity");
        let bob = BasicIdentity::from_pem_file(golden.join("plain.pem")).unwrap();
        let controllers = vec![world.operator.principal, bob.sender().unwrap()];
        world
            .pic
            .set_controllers(canister, Some(world.operator.principal), controllers)
            .unwrap();
        let home = world.folder.path().join("home");
        let dfx = home.join(".config/dfx");
        for folder in ["bob", "carol"] {
            fs::create_dir_all(dfx.join("identity").join(folder)).unwrap();
        }
        for file in ["identity.json", "identity.pem.encrypted"] {
            fs::copy(golden.join(file), dfx.join("identity/bob").join(file)).unwrap();
        }
        let keyring = r#"{"keyring_identity_suffix":"carol"}"#;
        fs::write(dfx.join("identity/carol/identity.json"), keyring).unwrap();
        fs::write(dfx.join("identity.json"), r#"{"default":"bob"}"#).unwrap();
        Encrypted {
            world,
            canister,
            home,
        }
    }

    fn list(&self) -> String {
        let program = cli::binary().display().to_string();
        let url = self.world.url();
        format!("{program} snapshot list {} --network {url}", self.canister)
    }

    /// Runs a shell's command line on a terminal that echoes what is typed, and types `password` when asked.
    fn on_terminal(&self, line: &str, password: &str) -> String {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", &format!("stty echo; {line}; echo exit code $?")])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &self.home);
        let mut session = rexpect::session::spawn_command(shell, Some(PATIENCE_MS)).unwrap();
        let before = session.exp_string("Password of ").unwrap();
        let place = session.exp_string(": ").unwrap();
        assert!(place.ends_with("bob/identity.pem.encrypted"), "{place}");
        // The question is written first, then the echo is switched off.
        std::thread::sleep(Duration::from_millis(500));
        session.send_line(password).unwrap();
        before + &session.exp_eof().unwrap()
    }
}

#[test]
fn an_identity_that_dfx_encrypted_is_used_with_its_password() {
    let held = Encrypted::new();
    let password = held.home.join("password");
    fs::write(&password, DFX_PASSWORD).unwrap();
    let run = |more: &str| {
        let line = format!("{} {more}", held.list());
        let mut words = line.split_whitespace();
        let output = Command::new(words.next().unwrap())
            .args(words)
            .env_clear()
            .env("HOME", &held.home)
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(
            !said.contains("horse") && !said.contains("MC4CAQAw"),
            "{said}"
        );
        (output.status.success(), said)
    };
    let password = password.display();
    for identity in ["--identity bob", ""] {
        let (success, said) = run(&format!("{identity} --password-file {password}"));
        assert!(success && said.contains("0 of at most 10"), "{said}");
    }
    let (success, said) = run("--identity bob");
    assert!(!success && said.contains("--password-file"), "{said}");
    let (success, said) = run("--identity carol");
    assert!(
        !success && said.contains("dfx identity export carol"),
        "{said}"
    );
}

#[test]
fn a_password_is_asked_for_on_the_terminal_and_not_shown() {
    let held = Encrypted::new();
    let line = format!("{} --identity bob --verbose", held.list());
    let said = held.on_terminal(&line, DFX_PASSWORD);
    assert!(
        said.contains("0 of at most 10") && said.contains("exit code 0"),
        "{said}"
    );
    assert!(!said.contains("horse"), "{said}");
    let said = held.on_terminal(&line, "wrong horse");
    assert!(
        said.contains("the password is wrong") && said.contains("exit code 1"),
        "{said}"
    );
    assert!(!said.contains("horse"), "{said}");
}
