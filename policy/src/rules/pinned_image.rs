//! # What must hold
//! The image has a tag other than `latest`, or a digest.
//!
//! # Why
//! The node that a replacement pod starts on pulls the image again, and may get another version. A newer version
//! upgrades the database files when it starts, and the former version cannot open them any more.
//!
//! # Example
//! ```yaml
//! containers:
//!   - name: sqledge
//!     image: mcr.microsoft.com/azure-sql-edge
//! ```
//!
//! # Instead
//! ```yaml
//! containers:
//!   - name: sqledge
//!     image: mcr.microsoft.com/azure-sql-edge:1.0.7
//! ```
//!
//! # Fix
//! None: only a person knows which version wrote the database files.
//!
//! # Sources
//! - Kubernetes documentation, *Images*: avoid the tag `latest`
//! - Microsoft, *Attach a database*: an earlier version cannot attach a database of a more recent one

use super::check::{Check, CheckContext};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings};
use crate::kubernetes::image::ImageReference;
use crate::workload::DatabaseContainer;

/// The rule.
pub const RULE: Rule = Rule {
    id: "pinned-image",
    summary: "every pod runs the same version of the database",
    loss: Loss::Availability,
    default_action: Action::Warn,
    fixable: Fixable::No,
    sees: &[],
    checks: &[Check::Container(check)],
    relations: &[],
};

fn check(_: &CheckContext<'_>, container: &DatabaseContainer<'_, '_>, findings: &mut Findings) {
    let image = container.container.at("image");
    let Some(reference) = image.str().map(ImageReference::parse) else { return };
    if reference.digest.is_none() && matches!(reference.tag, None | Some("" | "latest")) {
        let message = format!("a replacement pod may run another version of {}", container.engine.product);
        findings.push(
            Finding::contradiction(&image, message)
                .reason("a newer version upgrades the databases, which an older one cannot open")
                .help("add the tag of a version, or a digest"),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{ask, deployment, test};

    #[test]
    fn the_tag_names_a_version() {
        let at = "/spec/template/spec/containers/0/image";
        let cases = [
            ("mcr.microsoft.com/azure-sql-edge", 1),
            ("mcr.microsoft.com/azure-sql-edge:latest", 1),
            ("registry.example:5000/azure-sql-edge", 1),
            ("registry.example:5000/azure-sql-edge:2.0.0", 0),
            ("mcr.microsoft.com/azure-sql-edge:1.0.7", 0),
            ("azure-sql-edge@sha256:00", 0),
            ("azure-sql-edge:latest@sha256:00", 0),
        ];
        for (image, count) in cases {
            let expected: Vec<String> = std::iter::repeat_n(format!("warn {at}"), count).collect();
            assert_eq!(ask(&RULE, &deployment(&[(at, json!(image))])), expected, "{image}");
        }
    }
}
