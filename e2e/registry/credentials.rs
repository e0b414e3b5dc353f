//! Logins of docker and podman, and their helpers. No output may contain a secret.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sqledge_ha::wasm_host::EMBEDDED;

use super::command::{User, login, snapshot};
use super::scripted::{Answer, scripted};
use super::server::{PASSWORD, Registry, USER};
use crate::ran::Ran;
use crate::tools::stand_in;

/// Pushes the module as a user.
fn push(user: &User, registry: &Registry) -> Ran {
    user.run(&["policy", "push", "--plain-http", &registry.reference("team/policy:v1")])
}

#[test]
fn logins_are_read_from_the_files_of_docker_and_podman() {
    let registry = Registry::with_password();
    let text = login(&registry.address.to_string(), PASSWORD);
    for user in [
        User::logged_in(&registry.address.to_string()),
        User::unknown().with_file("elsewhere/config.json", &text).with("DOCKER_CONFIG", "elsewhere"),
        User::unknown().with_file("run/containers/auth.json", &text).with("XDG_RUNTIME_DIR", "run"),
        User::unknown().with_file(".config/containers/auth.json", &text),
        User::unknown().with_file("auth.json", &text).with("REGISTRY_AUTH_FILE", "auth.json"),
    ] {
        let pushed = push(&user, &registry);
        assert_eq!(pushed.code, 0, "{pushed:?}");
        let pulled = user.run(&["policy", "pull", "--plain-http", pushed.output.trim_end(), "-o", "policy.wasm"]);
        assert_eq!(pulled.code, 0, "{pulled:?}");
    }
}

#[test]
fn a_login_works_with_a_private_authority() {
    let registry = Registry::with_tls_and_password();
    let (reference, ca_cert) = (registry.reference("team/policy:v1"), registry.ca_cert());
    let trusted = ["--ca-cert", ca_cert.to_str().unwrap()];
    let user = User::logged_in(&registry.address.to_string());
    let push = [&["policy", "push", reference.as_str()], &trusted[..]].concat();
    let pushed = user.run(&push);
    assert_eq!(pushed.code, 0, "{pushed:?}");
    let pull = ["policy", "pull", pushed.output.trim_end(), "-o", "policy.wasm"];
    let pulled = user.run(&[&pull[..], &trusted[..]].concat());
    assert_eq!(pulled.code, 0, "{pulled:?}");
    assert_eq!(fs::read(user.home().join("policy.wasm")).unwrap(), EMBEDDED);

    // Both are necessary.
    let distrusted = user.run(&pull);
    assert!(distrusted.code == 4 && distrusted.stderr.contains("unknown authority"), "{distrusted:?}");
    for arguments in [push, [&pull[..], &trusted[..]].concat()] {
        let unknown = User::unknown().run(&arguments);
        assert!(unknown.code == 4 && unknown.stderr.contains("the registry requires a login"), "{unknown:?}");
    }
}

/// A user with a credential helper.
fn with_helper(registry: &Registry, script: &str) -> User {
    let text = format!("{{\"credHelpers\": {{\"{}\": \"test\"}}}}", registry.address);
    let user = User::unknown().with_file(".docker/config.json", &text).with("PATH", "bin");
    let bin = user.home().join("bin");
    fs::create_dir(&bin).unwrap();
    stand_in(&bin, "docker-credential-test", script);
    user
}

#[test]
fn a_helper_returns_the_login_of_the_registry() {
    let registry = Registry::with_password();
    let answer = format!("{{\"ServerURL\": \"x\", \"Username\": \"{USER}\", \"Secret\": \"{PASSWORD}\"}}");
    let script = format!("[ \"$1\" = get ] && read server; [ \"$server\" = {} ] && echo '{answer}'", registry.address);
    assert_eq!(push(&with_helper(&registry, &script), &registry).code, 0);
}

#[test]
fn failing_helpers_are_named_but_not_quoted() {
    let registry = Registry::with_password();
    let pushed = |script: &str| push(&with_helper(&registry, script), &registry);
    snapshot("helper-fails", &pushed("echo Secret-of-the-helper; echo Secret-of-it >&2; exit 3"));
    snapshot("helper-returns-no-json", &pushed("echo Secret-of-the-helper"));
    snapshot("helper-has-none", &pushed("echo credentials not found in native keychain; exit 1"));
    let missing = with_helper(&registry, "");
    fs::remove_file(missing.home().join("bin/docker-credential-test")).unwrap();
    snapshot("helper-is-missing", &push(&missing, &registry));
}

#[test]
fn rejected_logins_are_reported_with_their_source() {
    let registry = Registry::with_password();
    let address = registry.address.to_string();
    snapshot("no-credentials", &push(&User::unknown(), &registry));
    let wrong = User::unknown().with_file(".docker/config.json", &login(&address, "Secret-of-another"));
    snapshot("wrong-password", &push(&wrong, &registry));
    let pull = ["policy", "pull", "--plain-http", &registry.reference("team/policy:v1"), "-o", "policy.wasm"];
    snapshot("wrong-password-to-pull", &wrong.run(&pull));
    assert!(!wrong.home().join("policy.wasm").exists());
    let broken = "{\"auths\": {\n\"r\": {\"auth\": [\"Secret-of-mine\"]}}}";
    snapshot("broken-credentials", &push(&User::unknown().with_file(".docker/config.json", broken), &registry));
}

#[test]
fn the_login_is_exchanged_for_a_token() {
    let basic = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let address = scripted(move |address, request| match (request.path.as_str(), request.authorization.as_deref()) {
        ("/v2/", None) => {
            let challenge = format!("WWW-Authenticate: Bearer realm=\"http://{address}/token\",service=\"test\"");
            Answer::new(401, "").with(&challenge)
        }
        (path, Some(shown)) if path.starts_with("/token?") && shown == basic => Answer::new(200, r#"{"token": "t"}"#),
        (path, Some("Bearer t")) if path.starts_with("/v2/team/policy/manifests/") => Answer::new(404, ""),
        _ => {
            Answer::new(401, r#"{"errors": [{"code": "UNAUTHORIZED", "message": "Secret-of-the-registry is wrong"}]}"#)
        }
    });
    let pull = ["policy", "pull", "--plain-http", &format!("{address}/team/policy:v1"), "-o", "policy.wasm"];
    // Authenticated; the tag does not exist.
    snapshot("token-with-login", &User::logged_in(&address.to_string()).run(&pull));
    snapshot("token-without-login", &User::unknown().run(&pull));
}
