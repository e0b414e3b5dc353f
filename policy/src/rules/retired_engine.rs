//! # What must hold
//! The database is a product that Microsoft supports: not Azure SQL Edge, which it retired on 2025-09-30. The rule is
//! off unless the settings switch it on: `lint` says so once, in a note.
//!
//! # Why
//! SQL Edge gets no security fixes any more, and does not work on Linux kernels from 6.7 on, which node upgrades bring.
//!
//! # Example
//! ```yaml
//! image: mcr.microsoft.com/azure-sql-edge:2.0.0
//! ```
//!
//! # Instead
//! ```yaml
//! image: mcr.microsoft.com/mssql/server:2022-CU22-ubuntu-22.04
//! ```
//!
//! # Fix
//! None: the databases have to be moved, for example with a backup that SQL Server restores.
//!
//! # Sources
//! - <https://learn.microsoft.com/lifecycle/products/azure-sql-edge>: retirement on 2025-09-30

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::engine::SQL_EDGE;
use crate::finding::{Action, Finding, Findings};
use crate::workload::DatabaseContainer;

/// The rule.
pub const RULE: Rule = Rule {
    id: "retired-engine",
    summary: "the database is a product that Microsoft supports",
    loss: Loss::Operation,
    default_action: Action::Off,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Container(check)],
    relations: &[],
};

fn check(_: &CheckContext<'_>, container: &DatabaseContainer<'_, '_>, findings: &mut Findings) {
    if container.engine == &SQL_EDGE {
        findings.push(
            Finding::contradiction(&container.container.at("image"), "Microsoft retired SQL Edge on 2025-09-30")
                .help("move the databases to SQL Server"),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{ask, ask_in, closed, deployment, settings, test};

    #[test]
    fn sql_edge_is_retired() {
        const IMAGE: &str = "/spec/template/spec/containers/0/image";
        let on = settings(json!({"rules": {"retired-engine": "warn"}, "engines": ["sql-edge", "sql-server"]}));
        assert_eq!(ask_in(&RULE, &deployment(&[]), &closed([]), &on), [format!("warn {IMAGE}")]);
        let server = deployment(&[(IMAGE, json!("mcr.microsoft.com/mssql/server:2022-latest"))]);
        assert!(ask_in(&RULE, &server, &closed([]), &on).is_empty());
        assert!(ask(&RULE, &deployment(&[])).is_empty(), "off by default");
    }
}
