//! Generated files must be current. With `UPDATE_GENERATED=1` (`make generate`) the tests write them instead.

use std::fs;

use clap::{CommandFactory, Parser};
use serde_json::Value;
use sqledge_ha::artifact_hub;
use sqledge_ha::audit::permissions;
use sqledge_ha::audit::timers::{Timer, Timers};
use sqledge_ha::cli::{AuditOther, Cli, Command, Policy, TableFormat, Webhook};
use sqledge_ha::command::{audit_manifests, policy_manifest, rules, webhook};
use sqledge_ha::install::chart;
use sqledge_ha::install::module::ModuleMetadata;
use sqledge_ha::other_tools;
use sqledge_ha::rule_docs;
use sqledge_ha::settings_schema;
use sqledge_ha_policy::kubernetes::resources::RESOURCES;

use crate::audit;
use crate::install::printed;
use crate::kubernetes::Cluster;
use crate::serve::in_a_cluster::monitoring::server_with_all_metrics;
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

/// Compares the text between two marks of a document, or writes it.
fn compare_between_marks(path: &str, name: &str, text: &str) {
    compare(path, &replace_between_marks(&text_of(path), name, text));
}

#[test]
fn readme_rules_table_is_current() {
    compare_between_marks("README.md", "rules", &rules::table(TableFormat::Markdown));
}

#[test]
fn rules_page_is_current() {
    let page = rule_docs::page();
    assert!(page.contains(rule_docs::CONDITIONAL_FIXES));
    compare(rule_docs::PAGE_PATH, &page);
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
    compare_between_marks("docs/reference/settings.md", "settings", &block(settings));
}

#[test]
fn checks_of_other_tools_in_the_documentation_are_current() {
    compare_between_marks("docs/other-tools.md", "checks", &other_tools::table("reference/rules.md"));
}

#[test]
fn audits_in_the_documentation_are_current() {
    let block = |text: &str| format!("```text\n{text}```\n");
    let text = audit::printed(&[]);
    let paragraphs: Vec<&str> = text.split_inclusive("\n\n").collect();
    let stock = paragraphs.iter().find(|paragraph| paragraph.starts_with("shop/stock: ")).unwrap();
    let [table, .., summary] = paragraphs.as_slice() else { panic!("{text}") };
    compare_between_marks("docs/audit.md", "audit", &block(&format!("{table}…\n\n{stock}{summary}")));
    compare_between_marks("README.md", "audit", &block(&format!("{}\n", table.trim_end())));
    let drained = audit::printed(&["--what-if", "drain/amd64-a"]);
    compare_between_marks("docs/before-maintenance.md", "what-if", &block(&drained));
}

#[test]
fn permissions_of_an_audit_in_the_documentation_are_current() {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let rule = |rule: &Value| {
        let (resources, verbs) = (texts(&rule["resources"]).join(", "), texts(&rule["verbs"]).join(", "));
        format!("  - {{apiGroups: {}, resources: [{resources}], verbs: [{verbs}]}}\n", rule["apiGroups"])
    };
    let rules: String = permissions::to_read().iter().map(rule).collect();
    let head =
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: sqledge-ha-audit\nrules:\n";
    compare_between_marks("docs/audit.md", "permissions", &format!("```yaml\n{head}{rules}```\n"));
}

#[test]
fn metrics_of_an_audit_in_the_documentation_are_current() {
    let text = audit::printed(&["--format", "prometheus"]);
    compare_between_marks("docs/reference/audit.md", "metrics", &metrics_table(&text, "sqledge_ha_"));
}

#[test]
fn times_of_steps_in_the_documentation_are_current() {
    let row = |timer: Timer| {
        let (time, source) = Timers::default().get(timer, None);
        format!("| `{}` | {time} | {source} |\n", timer.name())
    };
    let rows: String = Timer::ALL.into_iter().map(row).collect();
    let text = format!("| step | time | source |\n|---|---|---|\n{rows}");
    compare_between_marks("docs/reference/audit.md", "steps", &text);
}

#[test]
fn exit_codes_in_the_documentation_are_current() {
    let help = Cli::command().get_after_help().unwrap().to_string();
    let codes = help.lines().skip(1).take_while(|line| !line.is_empty()).map(|line| {
        let (code, meaning) = line.trim_start().split_once("  ").unwrap();
        format!("| {code} | {} |\n", meaning.replace("--fail-on", "`--fail-on`"))
    });
    let table = format!("| code | meaning |\n|---|---|\n{}", codes.collect::<String>());
    compare_between_marks("docs/reference/output.md", "exit-codes", &table);
}

#[test]
fn the_page_of_the_command_line_is_current() {
    let mut page = "# Command line\n\nWhat `--help` prints. `sqledge-ha COMMAND -h` prints a summary, `sqledge-ha man COMMAND` a manual \
        page, and\n`sqledge-ha completions SHELL` completions for a shell.\n"
        .to_owned();
    push_help(&mut page, &Cli::command(), &[]);
    compare("docs/reference/command-line.md", &page);
}

/// Adds the help of a command, and of those below it.
fn push_help(page: &mut String, command: &clap::Command, path: &[&str]) {
    let help: String =
        printed(&[path, &["--help"]].concat()).lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let title = [&["sqledge-ha"], path].concat().join(" ");
    page.push_str(&format!("\n## {title}\n\n```text\n{help}```\n"));
    for below in command.get_subcommands() {
        push_help(page, below, &[path, &[below.get_name()]].concat());
    }
}

#[test]
fn metrics_in_the_documentation_are_current() {
    let cluster = Cluster::api_only();
    let (_, text) = server_with_all_metrics(&cluster).probe("/metrics");
    compare_between_marks("docs/reference/output.md", "metrics", &metrics_table(&text, "sqledge_ha_"));
}

/// A table of all metrics in a text, without their prefix.
fn metrics_table(text: &str, prefix: &str) -> String {
    let mut table = "| name | type | value |\n|---|---|---|\n".to_owned();
    for line in text.lines().filter_map(|line| line.strip_prefix(&format!("# HELP {prefix}"))) {
        let (name, help) = line.split_once(' ').unwrap();
        let start = format!("# TYPE {prefix}{name} ");
        let kind = text.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
        table.push_str(&format!("| `{name}` | {kind} | {} |\n", help.trim_end_matches('.')));
    }
    table
}

/// The output of a command that prints manifests.
fn manifests(arguments: &str) -> String {
    let cli = Cli::try_parse_from(["sqledge-ha"].into_iter().chain(arguments.split(' '))).unwrap();
    let text = match cli.command {
        Command::Audit(flags) => {
            let Some(AuditOther::Manifests(flags)) = flags.other else { panic!("an audit prints no manifests") };
            audit_manifests::text(&flags)
        }
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
fn audit_manifests_are_current() {
    compare("artifacthub/audit/sqledge-ha.yaml", &manifests("audit manifests"));
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
    schema["properties"]["audit"]["properties"]["ignore"] = chart::ignore_schema();
    compare(path, &format!("{schema:#}\n"));
}
