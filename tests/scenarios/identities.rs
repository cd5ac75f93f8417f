//! Identities as users have them: those of icp (plain and protected by a password), those of dfx, the default one.
//! Nothing secret is ever printed.

use std::fs;
use std::process::Command;
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
