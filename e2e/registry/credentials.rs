//! Who one is to a registry: what docker, podman and their helpers know, and that nobody else gets to see it.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sqledge_ha::wasm_host::EMBEDDED;

use super::command::{User, login, snapshot};
use super::scripted::{Answer, scripted};
use super::server::{PASSWORD, Registry, USER};
use crate::ran::Ran;
use crate::tools::stand_in;

/// Pushes somewhere, as somebody.
fn push(user: &User, registry: &Registry) -> Ran {
    user.run(&["policy", "push", "--plain-http", &registry.place("team/policy:v1")])
}

#[test]
fn logins_of_docker_and_podman_are_taken_where_each_keeps_them() {
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
fn a_login_works_with_an_authority_of_ones_own() {
    let registry = Registry::with_tls_and_password();
    let (place, ca_cert) = (registry.place("team/policy:v1"), registry.ca_cert());
    let trusted = ["--ca-cert", ca_cert.to_str().unwrap()];
    let user = User::logged_in(&registry.address.to_string());
    let push = [&["policy", "push", place.as_str()], &trusted[..]].concat();
    let pushed = user.run(&push);
    assert_eq!(pushed.code, 0, "{pushed:?}");
    let pull = ["policy", "pull", pushed.output.trim_end(), "-o", "policy.wasm"];
    let pulled = user.run(&[&pull[..], &trusted[..]].concat());
    assert_eq!(pulled.code, 0, "{pulled:?}");
    assert_eq!(fs::read(user.home().join("policy.wasm")).unwrap(), EMBEDDED);

    // Neither does without the other.
    let distrusted = user.run(&pull);
    assert!(distrusted.code == 4 && distrusted.said.contains("authority that is not known"), "{distrusted:?}");
    for arguments in [push, [&pull[..], &trusted[..]].concat()] {
        let unknown = User::unknown().run(&arguments);
        assert!(unknown.code == 4 && unknown.said.contains("the registry asks for credentials"), "{unknown:?}");
    }
}

/// Somebody with a credential helper that does what a script says.
fn helped(registry: &Registry, script: &str) -> User {
    let text = format!("{{\"credHelpers\": {{\"{}\": \"test\"}}}}", registry.address);
    let user = User::unknown().with_file(".docker/config.json", &text).with("PATH", "bin");
    let bin = user.home().join("bin");
    fs::create_dir(&bin).unwrap();
    stand_in(&bin, "docker-credential-test", script);
    user
}

#[test]
fn a_helper_is_asked_for_the_registry() {
    let registry = Registry::with_password();
    let answer = format!("{{\"ServerURL\": \"x\", \"Username\": \"{USER}\", \"Secret\": \"{PASSWORD}\"}}");
    let script = format!("[ \"$1\" = get ] && read server; [ \"$server\" = {} ] && echo '{answer}'", registry.address);
    assert_eq!(push(&helped(&registry, &script), &registry).code, 0);
}

#[test]
fn a_helper_that_does_not_help_is_named_and_not_quoted() {
    let registry = Registry::with_password();
    let said = |script: &str| push(&helped(&registry, script), &registry);
    snapshot("helper-fails", &said("echo Secret-of-the-helper; echo Secret-of-it >&2; exit 3"));
    snapshot("helper-babbles", &said("echo Secret-of-the-helper"));
    snapshot("helper-has-none", &said("echo credentials not found in native keychain; exit 1"));
    let missing = helped(&registry, "");
    fs::remove_file(missing.home().join("bin/docker-credential-test")).unwrap();
    snapshot("helper-is-missing", &push(&missing, &registry));
}

#[test]
fn wrong_credentials_are_told_by_where_they_are_from() {
    let registry = Registry::with_password();
    let address = registry.address.to_string();
    snapshot("no-credentials", &push(&User::unknown(), &registry));
    let wrong = User::unknown().with_file(".docker/config.json", &login(&address, "Secret-of-another"));
    snapshot("wrong-password", &push(&wrong, &registry));
    let pull = ["policy", "pull", "--plain-http", &registry.place("team/policy:v1"), "-o", "policy.wasm"];
    snapshot("wrong-password-to-pull", &wrong.run(&pull));
    assert!(!wrong.home().join("policy.wasm").exists());
    let broken = "{\"auths\": {\n\"r\": {\"auth\": [\"Secret-of-mine\"]}}}";
    snapshot("broken-credentials", &push(&User::unknown().with_file(".docker/config.json", broken), &registry));
}

#[test]
fn a_token_is_fetched_with_the_password_and_used_instead_of_it() {
    let basic = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let address = scripted(move |address, asked| match (asked.path.as_str(), asked.authorization.as_deref()) {
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
    // Let in, to find that there is nothing.
    snapshot("token-is-taken", &User::logged_in(&address.to_string()).run(&pull));
    snapshot("token-is-refused", &User::unknown().run(&pull));
}
