//! Generated files must be current. With `UPDATE_GENERATED=1` (`make generate`) the tests write them instead.

use std::fs;

use clap::Parser;
use serde_json::Value;
use sqledge_ha::artifact_hub;
use sqledge_ha::cli::{Cli, Command, Policy, TableFormat, Webhook};
use sqledge_ha::command::{policy_manifest, rules, settings_schema, webhook};
use sqledge_ha::install::chart;
use sqledge_ha::install::module::ModuleMetadata;
use sqledge_ha::rule_docs;
use sqledge_ha_policy::kubernetes::resources::RESOURCES;

use crate::shared::{root, text_of};

/// Compares a file with its generated text, or writes it.
fn compare(path: &str, generated: &str) {
    let path = root().join(path);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, generated).unwrap();
    }
    let current = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(current, generated, "{} is stale: run `make generate`", path.display());
}

/// A document with the text between two marks replaced.
fn replace_between_marks(document: &str, name: &str, text: &str) -> String {
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = document.split_once(&start).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{start}{text}{end}{after}")
}

#[test]
fn readme_rules_table_is_current() {
    compare("README.md", &replace_between_marks(&text_of("README.md"), "rules", &rules::table(TableFormat::Markdown)));
}

#[test]
fn rules_page_is_current() {
    compare(rule_docs::PAGE_PATH, &rule_docs::page());
}

#[test]
fn settings_schema_is_current() {
    compare("artifacthub/settings-schema.json", &settings_schema::text());
}

#[test]
fn settings_in_the_documentation_are_current() {
    let settings = settings_schema::yaml();
    let block = |text: String| format!("```yaml\n{text}```\n");
    let text = replace_between_marks(&text_of("policy/USAGE.md"), "settings", &block(settings.clone()));
    let looked_up = RESOURCES.iter().filter(|row| row.look_up.at_admission());
    let list: String = looked_up.map(|row| format!("- {}\n", row.plural)).collect();
    compare("policy/USAGE.md", &replace_between_marks(&text, "look-ups", &list));
    let indented: String = settings.lines().map(|line| format!("  {line}\n")).collect();
    let text = replace_between_marks(&text_of("README.md"), "settings", &block(format!("policy:\n{indented}")));
    compare("README.md", &text);
}

/// The output of a command that prints manifests.
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
fn webhook_manifests_are_current() {
    compare("artifacthub/webhook/sqledge-ha.yaml", &manifests("webhook manifests"));
}

#[test]
fn kubewarden_manifests_are_current() {
    compare("artifacthub/kubewarden/access.yaml", &manifests("policy access"));
    compare("artifacthub/kubewarden/mutate.yaml", &manifests("policy manifest --mode mutate"));
    compare("artifacthub/kubewarden/validate.yaml", &manifests("policy manifest --mode validate"));
    // In a separate directory, because `kubectl apply -f` applies all files of the one above.
    compare("artifacthub/kubewarden/namespaced/policy.yaml", &manifests("policy manifest --mode namespaced"));
}

#[test]
fn artifact_hub_files_are_current() {
    let package = artifact_hub::package::text(&ModuleMetadata::embedded().unwrap()).unwrap();
    compare("artifacthub/artifacthub-pkg.yml", &package);
    compare("artifacthub/artifacthub-repo.yml", artifact_hub::REPOSITORY);
}

#[test]
fn settings_form_is_current() {
    compare("artifacthub/questions-ui.yml", &artifact_hub::questions::text().unwrap());
}

#[test]
fn the_chart_has_the_rules_and_match_conditions_of_the_program() {
    let templates = chart::named_templates(&ModuleMetadata::embedded().unwrap()).unwrap();
    compare("artifacthub/chart/templates/_generated.tpl", &templates);
}

#[test]
fn the_schema_of_the_chart_contains_the_schema_of_the_settings() {
    let path = "artifacthub/chart/values.schema.json";
    let mut schema: Value = serde_json::from_str(&text_of(path)).unwrap();
    schema["properties"]["settings"] = chart::settings_schema();
    compare(path, &format!("{schema:#}\n"));
}
