//! # What must hold
//! The variables of the database are right:
//! - `ACCEPT_EULA` is set, or accepted in `mssql.conf`.
//! - The password of `sa` comes from a Secret, under the name `MSSQL_SA_PASSWORD`; `SA_PASSWORD` is deprecated.
//! - `MSSQL_PID` is an edition of the product, or a product key of SQL Server.
//! - `MSSQL_ENABLE_HADR` is not set for SQL Edge, which has no availability groups.
//! - `env` is a field of the container, not of the pod.
//!
//! Variables that may come from `envFrom`, or from an `mssql.conf` that cannot be seen, are not reported as missing.
//!
//! # Why
//! Without an accepted license, or with an edition that does not exist, the database does not start. A password in the
//! manifest can be read by everyone who may read the workload. Availability groups that do not exist keep no second
//! copy of the data.
//!
//! # Example
//! ```yaml
//! env:
//!   - name: ACCEPT_EULA
//!     value: "Y"
//!   - name: SA_PASSWORD
//!     value: example-password
//! ```
//!
//! # Instead
//! ```yaml
//! env:
//!   - name: ACCEPT_EULA
//!     value: "Y"
//!   - name: MSSQL_SA_PASSWORD
//!     valueFrom:
//!       secretKeyRef:
//!         name: sql-login
//!         key: password
//! ```
//!
//! # Fix
//! None: only a person can accept a license, or move a password to a Secret.
//!
//! # Sources
//! - Microsoft, *Configure Azure SQL Edge*: editions Developer and Premium, no product keys, `MSSQL_ENABLE_HADR` is
//!   ignored
//! - Microsoft, *Configure SQL Server settings with environment variables on Linux*: editions and product keys
//! - Microsoft, *Deploy SQL Server Linux containers on Kubernetes with StatefulSets*: `SA_PASSWORD` is deprecated
//! - Kubernetes documentation, *Secrets*

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::engine::variables::{EDITION, EULA, FORMER_PASSWORD, HADR, PASSWORD};
use crate::engine::writes_configuration;
use crate::finding::{Action, Finding, Findings, push_separated};
use crate::kubernetes::command::argv;
use crate::kubernetes::environment::{Environment, Variable};
use crate::workload::{DatabaseContainer, Workload};

/// The rule.
pub const RULE: Rule = Rule {
    id: "engine-environment",
    summary: "the variables of the database are complete and valid, and contain no password",
    loss: Loss::Operation,
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Workload(check_pod), Check::Container(check)],
    relations: &[],
};

fn check_pod(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let env = workload.pod.at("env");
    if env.exists() {
        findings.push(
            Finding::contradiction(&env, format!("{} does not get these variables", workload.product()))
                .reason("a pod has no field `env`")
                .help("move it into the container"),
        );
    }
}

fn check(_: &CheckContext<'_>, container: &DatabaseContainer<'_, '_>, findings: &mut Findings) {
    let (environment, engine) = (container.environment(), container.engine);
    let product = engine.product;
    let is_misplaced = container.workload.pod.at("env").exists();
    let accepts = |word: &&str| word.contains("accept-eula") || word.contains(EULA);
    if environment.value(EULA) == Variable::Absent
        && !container.may_have_more()
        && !writes_configuration(&container.container)
        && !is_misplaced
        && !argv(&container.container).iter().any(accepts)
    {
        let message = format!("{product} does not start unless its license is accepted");
        let env = container.container.at("env");
        let finding = Finding::contradiction(&env, message)
            .reason(format!("{EULA} is not set"))
            .help(format!("set {EULA} to Y if you accept the license"));
        // The API server rejects such a value.
        let value = environment.entry(EULA).map(|entry| entry.at("value"));
        let is_no_text = || value.is_some_and(|value| value.exists() && value.str().is_none());
        findings.push(finding.for_reports(|finding| {
            if is_no_text() {
                finding.reason(format!("the value of {EULA} is not a text")).help("quote it: `\"Y\"`")
            } else {
                finding
            }
        }));
    }
    findings.extend(check_password(&environment));
    if let (Variable::Known(edition), Some(entry)) = (environment.value(EDITION), environment.entry(EDITION)) {
        let is_edition = |known: &&str| known.eq_ignore_ascii_case(edition.trim());
        let is_key = engine.has_product_keys && is_product_key(edition.trim());
        if !engine.editions.iter().any(is_edition) && !is_key {
            let mut editions = String::new();
            engine.editions.iter().for_each(|known| push_separated(&mut editions, ", ", known));
            findings.push(
                Finding::contradiction(&entry.at("name"), format!("{EDITION} names no edition of {product}"))
                    .reason(format!("its editions are {editions}"))
                    .help("set an edition, or remove it"),
            );
        }
    }
    if let (Variable::Known(enabled), Some(entry)) = (environment.value(HADR), environment.entry(HADR))
        && !engine.has_availability_groups
        && enabled.trim() != "0"
    {
        findings.push(
            Finding::contradiction(&entry.at("name"), format!("{product} has no availability groups"))
                .reason("there is no second copy of the data")
                .help("remove it"),
        );
    }
}

/// A finding on the password of `sa`. It names the variable, and never its value.
fn check_password(environment: &Environment<'_>) -> Option<Finding> {
    let visible = |name: &str| {
        let entry = environment.entry(name)?;
        let is_visible = matches!(environment.value(name), Variable::Known(_))
            || entry.path(&["valueFrom", "configMapKeyRef"]).exists();
        is_visible.then(|| {
            Finding::contradiction(&entry.at("name"), format!("{name} does not come from a Secret"))
                .reason("everyone who can read the manifest can read the password")
                .help(format!("set {PASSWORD} by `secretKeyRef`"))
        })
    };
    if let Some(finding) = visible(PASSWORD).or_else(|| visible(FORMER_PASSWORD)) {
        return Some(finding);
    }
    let former = environment.entry(FORMER_PASSWORD)?;
    let is_alone = environment.entry(PASSWORD).is_none() && !environment.has_env_from();
    is_alone.then(|| {
        Finding::contradiction(&former.at("name"), format!("{FORMER_PASSWORD} is deprecated"))
            .help(format!("rename it to {PASSWORD}"))
    })
}

/// Whether a text has the form of a product key: five groups of five letters and digits.
fn is_product_key(text: &str) -> bool {
    let fits = |(index, byte): (usize, u8)| if index % 6 == 5 { byte == b'-' } else { byte.is_ascii_alphanumeric() };
    text.len() == 29 && text.bytes().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask, ask_in, closed, deployment, findings_of, settings, test};
    use crate::view::index::ObjectIndex;

    const ENV: &str = "/spec/template/spec/containers/0/env";

    fn with(variables: Value) -> Vec<String> {
        ask(&RULE, &deployment(&[(ENV, variables)]))
    }

    fn and(variable: Value) -> Vec<String> {
        with(json!([{"name": "ACCEPT_EULA", "value": "Y"}, variable]))
    }

    #[test]
    fn the_license_is_accepted() {
        let missing = [format!("warn {ENV}")];
        assert_eq!(with(json!([])), missing);
        assert_eq!(with(json!([{"name": "ACCEPT_EULA", "value": ""}])), missing);
        assert_eq!(with(json!(null)), missing);
        assert!(with(json!([{"name": "ACCEPT_EULA", "valueFrom": {"secretKeyRef": {}}}])).is_empty());
        for (field, value) in [
            ("envFrom", json!([{"configMapRef": {"name": "c"}}])),
            ("args", json!(["/opt/mssql/bin/sqlservr", "--accept-eula"])),
            ("volumeMounts/-", json!({"name": "conf", "mountPath": "/var/opt/mssql/mssql.conf"})),
        ] {
            let at = format!("/spec/template/spec/containers/0/{field}");
            assert!(ask(&RULE, &deployment(&[(ENV, json!([])), (&at, value)])).is_empty(), "{field}");
        }
    }

    #[test]
    fn variables_of_the_pod_are_reported_once() {
        let object = deployment(&[(ENV, json!(null)), ("/spec/template/spec/env", json!([{"name": "ACCEPT_EULA"}]))]);
        assert_eq!(ask(&RULE, &object), ["warn /spec/template/spec/env"]);
    }

    #[test]
    fn the_password_comes_from_a_secret() {
        let literal = |name: &str| json!({"name": name, "value": "hunter2"});
        let from = |name: &str, source: &str| json!({"name": name, "valueFrom": {source: {"name": "x", "key": "k"}}});
        let found = [format!("warn {ENV}/1/name")];
        for variable in [
            literal("MSSQL_SA_PASSWORD"),
            literal("SA_PASSWORD"),
            from("MSSQL_SA_PASSWORD", "configMapKeyRef"),
            from("SA_PASSWORD", "secretKeyRef"),
        ] {
            assert_eq!(and(variable.clone()), found, "{variable}");
        }
        assert!(and(from("MSSQL_SA_PASSWORD", "secretKeyRef")).is_empty());
        assert!(and(literal("PASSWORD")).is_empty());
        let eula = json!({"name": "ACCEPT_EULA", "value": "Y"});
        let reference = json!([eula, from("LOGIN", "secretKeyRef"), {"name": PASSWORD, "value": "$(LOGIN)"}]);
        assert!(with(reference).is_empty(), "the referenced variable comes from a Secret");
        let both = json!([eula, literal("SA_PASSWORD"), literal("MSSQL_SA_PASSWORD")]);
        assert_eq!(with(both), [format!("warn {ENV}/2/name")], "one password, one finding");
        let two_names = json!([eula, from("SA_PASSWORD", "secretKeyRef"), from("MSSQL_SA_PASSWORD", "secretKeyRef")]);
        assert!(with(two_names).is_empty());
    }

    #[test]
    fn the_edition_exists() {
        let edition = |text: &str| and(json!({"name": "MSSQL_PID", "value": text}));
        for text in ["Developer", "premium", "", "$(UNKNOWN)"] {
            assert!(edition(text).is_empty(), "{text}");
        }
        for text in ["Express", "Developer Edition", "ABCDE-12345-ABCDE-12345-ABCDE"] {
            assert_eq!(edition(text), [format!("warn {ENV}/1/name")], "{text}");
        }
        let both = settings(json!({"engines": ["sql-edge", "sql-server"]}));
        let server = |text: &str| {
            let env = json!([{"name": "ACCEPT_EULA", "value": "Y"}, {"name": "MSSQL_PID", "value": text}]);
            let image = ("/spec/template/spec/containers/0/image", json!("mcr.microsoft.com/mssql/server:2022-latest"));
            ask_in(&RULE, &deployment(&[(ENV, env), image]), &closed([]), &both).len()
        };
        for text in ["Express", "EnterpriseDeveloper", "ABCDE-12345-ABCDE-12345-ABCDE"] {
            assert_eq!(server(text), 0, "{text}");
        }
        for text in ["Premium", "ABCDE-12345-ABCDE-12345", "ABCDE-12345-ABCDE-12345-ABCD"] {
            assert_eq!(server(text), 1, "{text}");
        }
    }

    #[test]
    fn sql_edge_has_no_availability_groups() {
        let enabled = |value: &str| and(json!({"name": "MSSQL_ENABLE_HADR", "value": value}));
        assert_eq!(enabled("1"), [format!("warn {ENV}/1/name")]);
        assert!(enabled("0").is_empty() && enabled("").is_empty());
    }

    #[test]
    fn no_text_quotes_a_value() {
        let env = json!([{"name": "MSSQL_SA_PASSWORD", "value": "hunter2"}, {"name": "MSSQL_PID", "value": "hunter2"},
            {"name": "MSSQL_ENABLE_HADR", "value": "hunter2"}]);
        let findings = findings_of(&RULE, &deployment(&[(ENV, env)]), &ObjectIndex::default(), &Settings::default());
        assert_eq!(findings.len(), 4);
        assert!(!format!("{findings:?}").contains("hunter2"));
    }
}
