//! # What must hold
//! The access modes of every claim that holds database files are only `ReadWriteOnce` and `ReadWriteOncePod`: pods of
//! one node, or one pod, can write to it. This holds for claims and for the `volumeClaimTemplates` of a StatefulSet.
//!
//! # Why
//! With `ReadWriteMany`, pods on two nodes can mount the volume at the same time. After a node failure, a server that
//! is cut off from the cluster still writes to the files that the replacement has opened, and both damage them. With
//! `ReadOnlyMany`, the database cannot write at all.
//!
//! # Example
//! ```yaml
//! kind: PersistentVolumeClaim
//! spec:
//!   accessModes: [ReadWriteMany]
//! ```
//!
//! # Instead
//! ```yaml
//! kind: PersistentVolumeClaim
//! spec:
//!   accessModes: [ReadWriteOnce]
//! ```
//!
//! # Fix
//! Unsafe: sets `accessModes: [ReadWriteOnce]`. The access modes of an existing claim cannot be changed: its data has
//! to be moved to a new claim. Nothing is fixed if the PersistentVolume of the claim is known and does not allow this
//! mode.
//!
//! # Sources
//! - Kubernetes documentation, *Persistent Volumes*: access modes
//! - <https://github.com/microsoft/mssql-docker/issues/851>: file locks on shared file systems

use super::check::{Check, CheckContext, MAX_FINDINGS};
use super::{Fixable, Loss, Rule};
use crate::finding::{Action, Finding, Findings, Fix};
use crate::json::cursor::Cursor;
use crate::json::edit::Edit;
use crate::kubernetes::claim::Claim;
use crate::kubernetes::kind::Kind;
use crate::view::storage::DataStorage;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule = Rule {
    id: "single-node-claim",
    summary: "the claim can be written to from one node only",
    loss: Loss::Data,
    default_action: Action::Reject,
    fixable: Fixable::Unsafe,
    sees: &[Kind::Claim],
    checks: &[Check::Workload(check_templates)],
    relations: &[Check::Claim(check_claim), Check::Workload(check_claims_of)],
};

/// What can be wrong with an access mode.
enum Problem {
    SeveralNodes,
    ReadOnly,
    Unknown,
}

fn check_templates(_: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    for template in workload.data_claim_templates() {
        if findings.len() < MAX_FINDINGS {
            findings.extend(finding_on(&template, workload.product()));
        }
    }
}

fn check_claim(context: &CheckContext<'_>, claim: &Claim<'_>, findings: &mut Findings) {
    if wrong_mode(claim).is_none() {
        return;
    }
    let name = claim.object.path(&["metadata", "name"]).str().unwrap_or_default();
    let mut databases = context.view.databases_on_claim(name);
    let Some(database) = databases.find(|workload| !context.exempts(&RULE, &workload.object)) else { return };
    let Some(finding) = finding_on(claim, database.product()) else { return };
    findings.push(finding.for_reports(|finding| {
        let finding = finding.label(format!("{} keeps its files on this claim", database.describe()));
        match context.view.volume_of(claim) {
            // Kubernetes would not bind the claim to it.
            Some(volume) if !volume.allows("ReadWriteOnce") => Finding { fix: None, ..finding }.help(HELP_VOLUME),
            _ => finding,
        }
    }));
}

/// At admission, a claim is looked up when its workload is checked.
fn check_claims_of(context: &CheckContext<'_>, workload: &Workload<'_>, findings: &mut Findings) {
    if context.view.is_reported_on_claim() {
        return;
    }
    for storage in context.view.data_storage(workload).iter().filter(|one| !one.is_template) {
        let DataStorage { location, claim, .. } = storage;
        if let Some(mode) = wrong_mode(claim) {
            let finding = Finding::contradiction(location, message(&mode, workload.product()));
            let finding = finding.problem(problem_of(&mode) as u8).help(HELP);
            findings.push(storage.about(finding, &claim.object, &mode, "this access mode allows it"));
        }
    }
}

const HELP: &str = "use a claim with `accessModes: [ReadWriteOnce]`; those of an existing claim cannot be changed";

const HELP_VOLUME: &str = "use a claim and a PersistentVolume with `accessModes: [ReadWriteOnce]`";

/// The most access modes that a fix removes: twice as many as there are, because each costs a search of the object.
const MAX_FIXED_MODES: usize = 8;

fn finding_on(claim: &Claim<'_>, product: &str) -> Option<Finding> {
    let mode = wrong_mode(claim)?;
    let fix = || {
        let mut modes: Vec<Cursor<'_>> = claim.object.path(&["spec", "accessModes"]).items().collect();
        if modes.len() > MAX_FIXED_MODES {
            return None;
        }
        // From the last on, so that the positions stay right.
        let further = modes.split_off(1).into_iter().rev().map(|mode| Edit::remove(&mode));
        let first = modes.first().map(|mode| Edit::set(mode, &[], "ReadWriteOnce"));
        Some(Fix::unsafe_edits(further.chain(first).collect::<Vec<_>>()))
    };
    Some(
        Finding::contradiction(&mode, message(&mode, product))
            .problem(problem_of(&mode) as u8)
            .help("set `accessModes: [ReadWriteOnce]`; those of an existing claim cannot be changed")
            .for_reports(|finding| Finding { fix: fix(), ..finding }),
    )
}

/// The first access mode with which not exactly one node can write.
fn wrong_mode<'a>(claim: &Claim<'a>) -> Option<Cursor<'a>> {
    let mut modes = claim.object.path(&["spec", "accessModes"]).items();
    modes.find(|mode| !matches!(mode.str(), Some("ReadWriteOnce" | "ReadWriteOncePod")))
}

fn problem_of(mode: &Cursor<'_>) -> Problem {
    match mode.str() {
        Some("ReadWriteMany") => Problem::SeveralNodes,
        Some("ReadOnlyMany") => Problem::ReadOnly,
        _ => Problem::Unknown,
    }
}

fn message(mode: &Cursor<'_>, product: &str) -> String {
    match problem_of(mode) {
        Problem::SeveralNodes => "two nodes can write to the database files at the same time".to_owned(),
        Problem::ReadOnly => format!("{product} cannot write with this access mode"),
        Problem::Unknown => "the API server rejects this access mode".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;
    use crate::testing::{ask, ask_in, claim, closed, deployment, findings_of, open_index, stateful_set, test};

    const MODES: &str = "/spec/volumeClaimTemplates/0/spec/accessModes";
    const NAME: &str = "/spec/template/spec/volumes/0/persistentVolumeClaim/claimName";

    #[test]
    fn only_one_node_writes_to_a_template() {
        for right in [json!(["ReadWriteOnce"]), json!(["ReadWriteOncePod"]), json!([]), json!(null), json!("x")] {
            assert!(ask(&RULE, &stateful_set(&[(MODES, right)])).is_empty());
        }
        for wrong in ["ReadWriteMany", "ReadOnlyMany", "ReadWriteTwice"] {
            assert_eq!(ask(&RULE, &stateful_set(&[(MODES, json!([wrong]))])), [format!("reject {MODES}/0")]);
        }
        let both = stateful_set(&[(MODES, json!(["ReadWriteOnce", "ReadWriteMany"]))]);
        assert_eq!(ask(&RULE, &both), [format!("reject {MODES}/1")]);
    }

    #[test]
    fn in_files_the_claim_is_reported_if_a_database_uses_it() {
        let database = deployment(&[]);
        let shared = claim("sql-data", &[("/spec/accessModes", json!(["ReadWriteMany"]))]);
        let found = |others: &[&Value]| {
            ask_in(&RULE, &shared, &closed(others.iter().copied().chain([&shared])), &Settings::default())
        };
        assert_eq!(found(&[&database]), ["reject /spec/accessModes/0"]);
        assert!(found(&[]).is_empty(), "no database uses it");
        assert!(found(&[&deployment(&[(NAME, json!("other"))])]).is_empty());
        assert!(ask_in(&RULE, &database, &closed([&database, &shared]), &Settings::default()).is_empty(), "once");
        let made = claim("data-sql-0", &[("/spec/accessModes", json!(["ReadWriteMany"]))]);
        let set = stateful_set(&[]);
        assert_eq!(ask_in(&RULE, &made, &closed([&made, &set]), &Settings::default()), ["reject /spec/accessModes/0"]);
    }

    #[test]
    fn a_mode_that_its_volume_does_not_allow_is_not_written() {
        let has_fix = |modes: Value| {
            let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
                "spec": {"accessModes": modes, "nfs": {}}});
            let named = [("/spec/accessModes/0", json!("ReadWriteMany")), ("/spec/volumeName", json!("pv"))];
            let (claim, workload) = (claim("sql-data", &named), deployment(&[]));
            let index = closed([&workload, &claim, &volume]);
            let findings = findings_of(&RULE, &claim, &index, &Settings::default());
            let [finding] = findings.as_slice() else { panic!("{findings:?}") };
            finding.fix.is_some()
        };
        assert!(!has_fix(json!(["ReadWriteMany"])));
        assert!(has_fix(json!(["ReadWriteMany", "ReadWriteOnce"])));
    }

    #[test]
    fn only_a_short_list_of_modes_is_fixed() {
        let has_fix = |count: usize| {
            let set = stateful_set(&[(MODES, json!(vec!["ReadWriteMany"; count]))]);
            findings_of(&RULE, &set, &closed([&set]), &Settings::default())[0].fix.is_some()
        };
        assert!(has_fix(MAX_FIXED_MODES) && !has_fix(MAX_FIXED_MODES + 1));
    }

    #[test]
    fn at_admission_the_workload_is_rejected() {
        let (database, shared) =
            (deployment(&[]), claim("sql-data", &[("/spec/accessModes/0", json!("ReadWriteMany"))]));
        let found = ask_in(&RULE, &database, &open_index([&shared]), &Settings::default());
        assert_eq!(found, [format!("reject {NAME}")]);
        let right = claim("sql-data", &[]);
        assert!(ask_in(&RULE, &database, &open_index([&right]), &Settings::default()).is_empty());
    }
}
