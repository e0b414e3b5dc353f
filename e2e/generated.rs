//! Files that are made from the code: each is compared with what the code makes of it today. With
//! `UPDATE_GENERATED=1` they are written instead.

use std::fs;

use clap::Parser;
use sqledge_ha::artifact_hub;
use sqledge_ha::cli::{Cli, Command, Policy, TableFormat, Webhook};
use sqledge_ha::command::{policy_manifest, rules, settings_schema, webhook};
use sqledge_ha::install::chart;
use sqledge_ha::install::module::Module;
use sqledge_ha::rule_docs;

use crate::shared::{root, text_of};

/// Compares a file with what it should hold, or writes it.
fn compare(path: &str, wanted: &str) {
    let path = root().join(path);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, wanted).unwrap();
    }
    let held = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(held, wanted, "{} is stale: run `make generate`", path.display());
}

/// A document with what stands between two marks replaced.
fn between_marks(document: &str, name: &str, text: &str) -> String {
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = document.split_once(&start).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{start}{text}{end}{after}")
}

#[test]
fn the_readme_lists_the_rules() {
    compare("README.md", &between_marks(&text_of("README.md"), "rules", &rules::table(TableFormat::Markdown)));
}

#[test]
fn the_rules_have_a_page() {
    compare(rule_docs::PAGE_PATH, &rule_docs::page());
}

#[test]
fn the_settings_schema_is_that_of_the_settings() {
    compare("artifacthub/settings-schema.json", &settings_schema::text());
}

/// What a command prints that prints manifests.
fn manifests(arguments: &str) -> String {
    let cli = Cli::try_parse_from(["sqledge-ha"].into_iter().chain(arguments.split(' '))).unwrap();
    let text = match cli.command {
        Command::Webhook(Webhook::Manifests(flags)) => webhook::text(&flags),
        Command::Policy(Policy::Manifest(flags)) => policy_manifest::text(&flags),
        Command::Policy(Policy::Access(flags)) => policy_manifest::access(&flags),
        other => panic!("{other:?} prints no manifests"),
    };
    text.unwrap()
}

#[test]
fn the_manifests_of_the_webhook_are_what_the_command_prints() {
    compare("artifacthub/webhook/sqledge-ha.yaml", &manifests("webhook manifests"));
}

#[test]
fn the_manifests_for_kubewarden_are_what_the_command_prints() {
    compare("artifacthub/kubewarden/access.yaml", &manifests("policy access"));
    compare("artifacthub/kubewarden/mutate.yaml", &manifests("policy manifest --mode mutate"));
    compare("artifacthub/kubewarden/validate.yaml", &manifests("policy manifest --mode validate"));
    // Apart, so that the folder above can be applied as it is.
    compare("artifacthub/kubewarden/namespaced/policy.yaml", &manifests("policy manifest --mode namespaced"));
}

#[test]
fn the_package_for_artifact_hub_is_made_of_the_metadata() {
    let package = artifact_hub::package::text(&Module::embedded().unwrap(), &text_of("CHANGELOG.md")).unwrap();
    compare("artifacthub/artifacthub-pkg.yml", &package);
    compare("artifacthub/artifacthub-repo.yml", artifact_hub::REPOSITORY);
}

#[test]
fn the_form_is_made_of_the_settings() {
    compare("artifacthub/questions-ui.yml", &artifact_hub::questions::text().unwrap());
}

#[test]
fn the_chart_is_made_of_the_manifests() {
    for file in chart::files().unwrap() {
        compare(&format!("artifacthub/chart/{}", file.path), &file.text);
    }
}

#[test]
fn the_readme_of_the_chart_lists_the_values() {
    let path = "artifacthub/chart/README.md";
    compare(path, &between_marks(&text_of(path), "values", &chart::values_table()));
}
