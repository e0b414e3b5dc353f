//! # What must hold
//! The nodes that the pod can run on have a Linux kernel that the database works on: one below 6.7 for SQL Edge, SQL
//! Server 2017, and SQL Server 2022 before its cumulative update 12. Other builds of SQL Server are not checked.
//! Checked where Nodes are in view, with their `kernelVersion`: in files and in audits. If no such node is left, it is
//! an error; if there are others, a warning.
//!
//! # Why
//! These builds crash at start on Linux 6.7 and later, and SQL Edge gets no more fixes. A routine upgrade of the node images can
//! bring a newer kernel: the database then stays down after its next restart.
//!
//! # Example
//! ```yaml
//! kind: Node
//! status:
//!   nodeInfo:
//!     kernelVersion: 6.8.0-1021-azure
//! ```
//!
//! # Instead
//! ```yaml
//! kind: Deployment
//! spec:
//!   template:
//!     spec:
//!       nodeSelector:
//!         kubernetes.azure.com/os-sku: AzureLinux   # a label of nodes with an older kernel
//! ```
//!
//! # Fix
//! None: keep nodes with an older kernel and select them by a label, or move to a current SQL Server.
//!
//! # Sources
//! - <https://github.com/microsoft/mssql-docker/issues/893>: crashes on Linux 6.7
//! - <https://github.com/microsoft/mssql-docker/issues/868>: the same
//! - <https://github.com/bitwarden/server/issues/3904>: SQL Server 2022 works from its cumulative update 12 on
//! - <https://github.com/microsoft/mssql-docker/issues/899>: SQL Server 2017 does not

use super::check::{Check, CheckContext, offline};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, Related, quoted};
use crate::kubernetes::kind::Kind;
use crate::kubernetes::objects::Node;
use crate::workload::{EngineContainer, Workload};

/// The rule.
pub const RULE: Rule = Rule {
    id: "kernel-compatible",
    summary: "nodes that can run the pod have a kernel that the database works on",
    loss: Loss::Availability,
    default_action: Action::Reject,
    fixable: Fixable::No,
    sees: &[Kind::Node],
    checks: &[],
    relations: offline(&[Check::Workload(check)]),
};

/// A Linux kernel's major and minor version.
pub type KernelVersion = (u32, u32);

fn check(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    let limit = |container: &EngineContainer<'_>| container.last_working_kernel();
    let limited = workload.engines.iter().find_map(|container| Some((container, limit(container)?)));
    let Some((container, last)) = limited else { return };
    let nodes: Vec<Node<'_>> = context.view.nodes().known().unwrap_or_default();
    let candidates = nodes.iter().filter(|node| node.admits(&workload.pod));
    let known: Vec<(&Node<'_>, KernelVersion)> =
        candidates.filter_map(|node| Some((node, kernel_version(node.kernel().str()?)?))).collect();
    let newer: Vec<&Node<'_>> = known.iter().filter(|(_, kernel)| *kernel > last).map(|(node, _)| *node).collect();
    let Some(first) = newer.first() else { return };
    let product = container.engine.product;
    let at = container.container.at("image");
    let names = named(&newer);
    let finding = if newer.len() == known.len() {
        Finding::contradiction(&at, format!("{product} crashes on the kernel of every node that can run it: {names}"))
    } else {
        Finding::advice(&at, format!("after a move to {names}, {product} crashes on the kernel"))
    };
    let (major, minor) = last;
    let kernel = || Related::new(&first.object, &first.kernel(), "this kernel is too new");
    findings.push(
        finding
            .help(format!("keep nodes with Linux {major}.{minor} or older, and select them by a label"))
            .for_reports(|finding| finding.related([kernel()])),
    );
}

/// The names of the first nodes.
fn named(nodes: &[&Node<'_>]) -> String {
    const SHOWN: usize = 3;
    let names: Vec<String> = nodes.iter().take(SHOWN).map(|node| quoted(node.name())).collect();
    let more = nodes.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// The major and minor version of a kernel, e.g. `(6, 8)` of `6.8.0-1021-azure`; `None` if the text does not start with
/// them.
pub fn kernel_version(text: &str) -> Option<KernelVersion> {
    let mut numbers = text.split(|character: char| !character.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use std::slice;

    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ask_in, closed, deployment, findings_of, settings, test};

    fn node(name: &str, kernel: &str, taints: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {"kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux"}},
            "spec": {"taints": taints}, "status": {"nodeInfo": {"kernelVersion": kernel}}})
    }

    fn found(nodes: &[Value]) -> Vec<String> {
        let database = deployment(&[]);
        ask_in(&RULE, &database, &closed(nodes.iter().chain([&database])), &settings(json!({})))
    }

    #[test]
    fn nodes_have_a_kernel_that_the_database_works_on() {
        const IMAGE: &str = "/spec/template/spec/containers/0/image";
        let (old, new) = (node("a", "5.15.0-1084-azure", json!(null)), node("b", "6.8.0-1021-azure", json!(null)));
        assert!(found(&[]).is_empty() && found(slice::from_ref(&old)).is_empty());
        assert!(found(&[node("a", "6.6.78.1-1.azl3", json!(null))]).is_empty());
        assert_eq!(found(slice::from_ref(&new)), [format!("reject {IMAGE}")]);
        assert_eq!(found(&[old.clone(), new.clone()]), [format!("warn {IMAGE}")]);
        let unknown = [node("c", "unknown", json!(null)), node("d", "", json!(null))];
        assert!(found(&unknown).is_empty());
        assert_eq!(found(&[unknown[0].clone(), new]), [format!("reject {IMAGE}")]);
    }

    #[test]
    fn old_builds_of_sql_server_fail_on_new_kernels() {
        let new = node("b", "6.8.0-1021-azure", json!(null));
        let found = |image: &str| {
            let database = deployment(&[("/spec/template/spec/containers/0/image", json!(image))]);
            let engines = settings(json!({"engines": ["sql-server"]}));
            ask_in(&RULE, &database, &closed([&database, &new]), &engines).len()
        };
        for (image, expected) in [
            ("mssql/server:2017-latest", 1),
            ("mssql/server:2017-CU31-ubuntu-18.04", 1),
            ("mssql/rhel/server:2017-CU20", 1),
            ("microsoft/mssql-server-linux", 1),
            ("microsoft/mssql-server-linux:latest", 1),
            ("mssql/server:2022-RTM-ubuntu-20.04", 1),
            ("mssql/server:2022-CU11-ubuntu-20.04", 1),
            ("mssql/rhel/server:2022-CU11-rhel-8.7", 1),
            ("mssql/server:2022-CU12-ubuntu-22.04", 0),
            ("mssql/server:2022-latest", 0),
            ("mssql/server:2019-latest", 0),
            ("mssql/server:latest", 0),
            ("mssql/server", 0),
        ] {
            assert_eq!(found(image), expected, "{image}");
        }
    }

    #[test]
    fn the_product_of_the_container_is_named() {
        let second = json!({"name": "edge", "image": "azure-sql-edge:1.0.7"});
        let database = deployment(&[
            ("/spec/template/spec/containers/0/image", json!("mssql/server:2022-latest")),
            ("/spec/template/spec/containers/-", second),
        ]);
        let both = settings(json!({"engines": ["sql-edge", "sql-server"]}));
        let findings = findings_of(&RULE, &database, &closed([&database, &node("b", "6.8.0", json!(null))]), &both);
        let messages: Vec<String> = findings.iter().map(|finding| finding.message.to_string()).collect();
        assert_eq!(messages, ["SQL Edge crashes on the kernel of every node that can run it: `b`"]);
    }

    #[test]
    fn nodes_that_cannot_run_the_pod_do_not_count() {
        let tainted = |key: &str, effect: &str| node("a", "6.8.0", json!([{"key": key, "effect": effect}]));
        assert!(found(&[tainted("node-role.kubernetes.io/control-plane", "NoSchedule")]).is_empty());
        assert_eq!(found(&[tainted("dedicated", "PreferNoSchedule")]).len(), 1);
        assert_eq!(found(&[tainted("node.kubernetes.io/unschedulable", "NoSchedule")]).len(), 1);
        let mut arm = node("a", "6.8.0", json!(null));
        arm["metadata"]["labels"]["kubernetes.io/arch"] = json!("arm64");
        assert!(found(&[arm]).is_empty());
    }
}
