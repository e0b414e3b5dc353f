//! # What must hold
//! The database has the memory that it needs:
//! - A memory limit, of the container or of the pod, is at least 1 GiB for SQL Edge, 2 GiB for SQL Server.
//! - With a limit, `MSSQL_MEMORY_LIMIT_MB` is set, and less than the limit.
//! - Memory is requested, at least the same amount. A limit without a request counts as both, as in Kubernetes.
//!
//! # Why
//! Below the minimum, the database does not start or is killed again and again. Without `MSSQL_MEMORY_LIMIT_MB`, it
//! takes 80 % of the memory that it finds, beside which other parts of the process need memory: at the limit, the
//! kernel kills it. A pod that uses more memory than it requests is among the first that a node evicts when memory gets
//! scarce.
//!
//! # Example
//! ```yaml
//! resources:
//!   limits:
//!     memory: 512Mi
//! ```
//!
//! # Instead
//! ```yaml
//! env:
//!   - name: MSSQL_MEMORY_LIMIT_MB
//!     value: "3072"
//! resources:
//!   requests:
//!     memory: 4Gi
//!   limits:
//!     memory: 4Gi
//! ```
//!
//! # Fix
//! None: only a person knows how much memory the nodes have.
//!
//! # Sources
//! - Microsoft, *Deploy Azure SQL Edge with Docker*: at least 1 GB of memory
//! - Microsoft, *Installation guidance for SQL Server on Linux*: at least 2 GB of memory
//! - Microsoft, *Configure SQL Server settings with environment variables on Linux*: `MSSQL_MEMORY_LIMIT_MB`
//! - Microsoft, *Deploy SQL Server Linux containers on Kubernetes with StatefulSets*: the class Guaranteed
//! - <https://github.com/Azure/AKS/issues/3457>, <https://github.com/microsoft/mssql-docker/issues/814>: databases
//!   killed at their limit
//! - Kubernetes documentation, *Node-pressure Eviction*: the order of evictions

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::engine::variables::MEMORY_LIMIT;
use crate::engine::writes_configuration;
use crate::finding::{Action, Finding, Findings};
use crate::json::cursor::Cursor;
use crate::kubernetes::environment::Variable;
use crate::kubernetes::quantity::quantity;
use crate::workload::DatabaseContainer;

/// The rule.
pub const RULE: Rule = Rule {
    id: "enough-memory",
    summary: "the database has enough memory, and a limit of its own below that of its container",
    loss: Loss::Availability,
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Container(check)],
    relations: &[],
};

const MIB: f64 = 1_048_576.0;

fn check(_: &CheckContext<'_>, container: &DatabaseContainer<'_, '_>, findings: &mut Findings) {
    let (own, pod) = (container.container.at("resources"), container.workload.pod.at("resources"));
    let memory = |kind| [own, pod].map(|resources| resources.path(&[kind, "memory"]));
    let limit = memory("limits").into_iter().find(Cursor::exists);
    let minimum = f64::from(container.engine.memory_floor_mib) * MIB;
    let need = format!("{} needs {} GiB of memory", container.engine.product, container.engine.memory_floor_mib / 1024);
    if let Some((limit, bytes)) = limit.and_then(|limit| Some((limit, quantity(&limit)?))) {
        if bytes < minimum {
            findings.push(Finding::contradiction(&limit, need).help("raise the limit"));
            return;
        }
        if may_exceed(container, bytes) {
            let message = format!("{} may be killed at this limit", container.engine.product);
            findings.push(
                Finding::contradiction(&limit, message)
                    .reason(format!("{MEMORY_LIMIT} is not below it, and the process also needs other memory"))
                    .help(format!("set {MEMORY_LIMIT} to about 75 % of the limit")),
            );
        }
    }
    // The API server takes a missing request of a container or a pod from its limit.
    let [own_request, pod_request] = memory("requests");
    let [own_limit, pod_limit] = memory("limits");
    let requests = [own_request, own_limit, pod_request, pod_limit];
    match requests.into_iter().find(Cursor::exists) {
        None => findings.push(
            Finding::contradiction(&own_request, "the pod is among the first that a node evicts when memory is short")
                .reason("it requests no memory")
                .help("set a memory request, ideally equal to the limit"),
        ),
        Some(request) if quantity(&request).is_some_and(|bytes| bytes < minimum) => {
            let message = "the pod can be placed on a node without enough free memory";
            findings.push(Finding::advice(&request, message).reason(need).help("request as much as the limit"));
        }
        Some(_) => {}
    }
}

/// The number of bytes; more than can be exact are infinite.
fn mib(number: i64) -> f64 {
    i32::try_from(number).map_or(f64::INFINITY, f64::from) * MIB
}

/// Whether the database may take as much memory as the limit of its container, or more.
fn may_exceed(container: &DatabaseContainer<'_, '_>, limit: f64) -> bool {
    let environment = container.environment();
    match environment.value(MEMORY_LIMIT) {
        Variable::Absent => !container.may_have_more() && !writes_configuration(&container.container),
        Variable::Known(text) => text.trim().parse().is_ok_and(|own: i64| mib(own) >= limit),
        Variable::Unresolved => {
            let field = environment.entry(MEMORY_LIMIT).map(|entry| entry.path(&["valueFrom", "resourceFieldRef"]));
            let text = |name| field.and_then(|field| field.at(name).str());
            // The field is read as a number of MiB; without a divisor it is the limit in bytes.
            let is_limit = match text("resource") {
                Some("limits.memory") => true,
                // A request that is not set is the limit.
                Some("requests.memory") => {
                    let request = container.container.path(&["resources", "requests", "memory"]);
                    quantity(&request).is_none_or(|bytes| bytes >= limit)
                }
                _ => false,
            };
            is_limit && text("containerName").is_none_or(|name| Some(name) == container.container.at("name").str())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask, ask_in, closed, deployment, settings, test};

    const CONTAINER: &str = "/spec/template/spec/containers/0";

    fn with(resources: Value, variables: &[Value]) -> Vec<String> {
        let at = |field: &str| format!("{CONTAINER}/{field}");
        let mut changes = vec![(at("resources"), resources)];
        changes.extend(variables.iter().map(|variable| (at("env/-"), variable.clone())));
        let changes: Vec<(&str, Value)> = changes.iter().map(|(at, value)| (at.as_str(), value.clone())).collect();
        ask(&RULE, &deployment(&changes))
    }

    fn own(value: &str) -> Value {
        json!({"name": MEMORY_LIMIT, "value": value})
    }

    fn limit() -> [String; 1] {
        [format!("warn {CONTAINER}/resources/limits/memory")]
    }

    #[test]
    fn a_limit_is_at_least_the_minimum() {
        let limited = |memory: Value| with(json!({"limits": {"memory": memory}}), &[own("900")]);
        for memory in [json!("512Mi"), json!("1G"), json!("1023Mi"), json!(5), json!("0"), json!("1m")] {
            assert_eq!(limited(memory.clone()), limit(), "{memory}");
        }
        for memory in [json!("1Gi"), json!("1097152e3"), json!(2_147_483_648_u64), json!("1e400"), json!("much")] {
            assert!(limited(memory.clone()).is_empty(), "{memory}");
        }
        let server = deployment(&[
            (&format!("{CONTAINER}/image"), json!("mcr.microsoft.com/mssql/server:2022-CU14-ubuntu-22.04")),
            (&format!("{CONTAINER}/resources"), json!({"limits": {"memory": "1500Mi"}})),
        ]);
        let both = settings(json!({"engines": ["sql-edge", "sql-server"]}));
        assert_eq!(ask_in(&RULE, &server, &closed([]), &both), limit());
    }

    #[test]
    fn the_database_takes_less_than_the_limit() {
        let limited = |variables: &[Value]| with(json!({"limits": {"memory": "2Gi"}}), variables);
        for value in ["2048", "4096", " 2048 ", ""] {
            assert_eq!(limited(&[own(value)]), limit(), "{value}");
        }
        assert_eq!(limited(&[]), limit());
        for value in ["2047", "1536", "a lot", "99999999999999999999", "-1"] {
            assert!(limited(&[own(value)]).is_empty(), "{value}");
        }
        let from = |source: Value| limited(&[json!({"name": MEMORY_LIMIT, "valueFrom": source})]);
        assert_eq!(from(json!({"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}})), limit());
        // Without a request of its own, the container requests as much as its limit.
        let of_request = json!({"resourceFieldRef": {"resource": "requests.memory", "divisor": "1Mi"}});
        assert_eq!(from(of_request.clone()), limit());
        let smaller = json!({"limits": {"memory": "4Gi"}, "requests": {"memory": "3Gi"}});
        assert!(with(smaller, &[json!({"name": MEMORY_LIMIT, "valueFrom": of_request})]).is_empty());
        for source in [
            json!({"resourceFieldRef": {"resource": "limits.memory", "containerName": "other"}}),
            json!({"configMapKeyRef": {"name": "c", "key": "k"}}),
        ] {
            assert!(from(source).is_empty());
        }
    }

    #[test]
    fn other_sources_may_set_the_variable() {
        let source = (format!("{CONTAINER}/envFrom"), json!([{"configMapRef": {"name": "c"}}]));
        let limits = (format!("{CONTAINER}/resources"), json!({"limits": {"memory": "2Gi"}}));
        let script =
            json!(["bash", "-c", "cp /config/mssql.conf /var/opt/mssql/mssql.conf && /opt/mssql/bin/sqlservr"]);
        let script = (format!("{CONTAINER}/command"), script);
        for (at, value) in [source, script] {
            assert!(ask(&RULE, &deployment(&[(&at, value), (&limits.0, limits.1.clone())])).is_empty(), "{at}");
        }
    }

    #[test]
    fn memory_is_requested() {
        assert_eq!(with(json!({}), &[]), [format!("warn {CONTAINER}/resources+requests")]);
        assert_eq!(with(json!(null), &[]), [format!("warn {CONTAINER}/resources+requests")]);
        assert_eq!(with(json!({"requests": {"cpu": 1}}), &[]), [format!("warn {CONTAINER}/resources/requests+memory")]);
        let small = json!({"requests": {"memory": "512Mi"}});
        assert_eq!(with(small, &[]), [format!("warn {CONTAINER}/resources/requests/memory")]);
        assert!(with(json!({"requests": {"memory": "1Gi"}}), &[]).is_empty());
        assert!(with(json!({"limits": {"memory": "2Gi"}}), &[own("1600")]).is_empty(), "the limit is the request");
    }

    #[test]
    fn resources_of_the_pod_count() {
        let pod = |resources: Value| {
            let changes =
                [("/spec/template/spec/resources", resources), (&format!("{CONTAINER}/resources"), json!(null))];
            ask_in(&RULE, &deployment(&changes), &closed([]), &Settings::default())
        };
        assert!(pod(json!({"requests": {"memory": "2Gi"}})).is_empty());
        assert_eq!(pod(json!({"limits": {"memory": "512Mi"}})), ["warn /spec/template/spec/resources/limits/memory"]);
    }
}
