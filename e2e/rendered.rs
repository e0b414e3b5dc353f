//! Charts and kustomizations: rendered by the real tools, checked, and reported with the locations in their templates.

mod found;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ran::{Ran, shown, with_input};
use crate::tools::{stand_in, tool};

/// A folder for `PATH`.
struct Tools(TempDir);

impl Tools {
    fn none() -> Self {
        Tools(TempDir::new().unwrap())
    }

    /// With the real `helm`, or `kustomize`.
    fn with(self, name: &str) -> Self {
        symlink(tool(name), self.0.path().join(name)).unwrap();
        self
    }

    /// With a shell script in a tool's place.
    fn with_script(self, name: &str, script: &str) -> Self {
        stand_in(self.0.path(), name, script);
        self
    }

    /// With the real `kubectl`, which the control plane of the tests has inside.
    fn with_kubectl(self) -> Self {
        let cluster = tool("e2e-cluster");
        self.with_script("kubectl", &format!("exec '{}' kubectl \"$@\"", cluster.display()))
    }

    /// Runs `sqledge-ha lint` in `e2e/`, with these tools and no others.
    fn lint(&self, arguments: &[&str]) -> Ran {
        self.lint_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e"), arguments, "")
    }

    fn lint_in(&self, directory: &Path, arguments: &[&str], input: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
        command.current_dir(directory).env("PATH", self.0.path()).arg("lint").args(arguments);
        let ran = with_input(&mut command, input);
        assert!(ran.code >= 0, "it was killed: {ran:?}");
        let is_bad = |character: char| character.is_control() && character != '\n';
        assert!(!ran.output.contains(is_bad) && !ran.stderr.contains(is_bad), "{ran:?}");
        assert!(!ran.output.contains("Secret-of-"), "{}", ran.output);
        ran
    }

    /// What the report for programs says.
    fn report(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.lint(&[&["--format", "json"], arguments].concat()).output).unwrap()
    }
}

/// Writes files with their texts.
fn write_all(folder: &Path, files: &[(&str, String)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The chart, with values that break two rules.
const BROKEN: [&str; 6] =
    ["--helm", "charts/warehouse", "-f", "charts/warehouse/two-replicas.yaml", "--set", "strategy=RollingUpdate"];

/// Rule, file, line in the file and line in the rendered text of every finding.
fn places(report: &Value) -> Vec<Value> {
    let findings = report["findings"].as_array().unwrap().iter();
    let place = |finding: &Value| {
        let line = |position: &Value| position["line"].clone();
        json!([finding["rule"], finding["file"], line(&finding["start"]), line(&finding["rendered"]["start"])])
    };
    findings.map(place).collect()
}

// Helm.

/// What Helm renders of the chart by itself.
fn helm_template(arguments: &[&str]) -> String {
    let mut command = Command::new(tool("helm"));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/e2e")).args(["template", "charts/warehouse"]);
    String::from_utf8(command.args(arguments).output().unwrap().stdout).unwrap()
}

#[test]
fn findings_point_to_the_templates_of_a_chart_or_show_rendered_lines() {
    insta::assert_snapshot!(shown(&Tools::none().with("helm").lint(&BROKEN)));
}

#[test]
fn json_has_the_locations_in_the_template_and_in_the_rendered_text() {
    let tools = Tools::none().with("helm");
    let report = tools.report(&BROKEN);
    insta::assert_snapshot!(serde_json::to_string_pretty(&report["findings"][2]).unwrap());
    let rendered = helm_template(&BROKEN[2..]);
    let findings = report["findings"].as_array().unwrap();
    let (exact, others): (Vec<&Value>, Vec<&Value>) = findings.iter().partition(|finding| finding["start"].is_object());
    assert_eq!((exact.len(), others.len()), (6, 2), "{report:#}");
    for finding in exact {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e").join(finding["file"].as_str().unwrap());
        let template = fs::read_to_string(path).unwrap();
        let marked = |text: &str, range: &Value| {
            let byte = |end: &str| usize::try_from(range[end]["byte"].as_u64().unwrap()).unwrap();
            text[byte("start")..byte("end")].to_owned()
        };
        assert_eq!(marked(&template, finding), marked(&rendered, &finding["rendered"]), "{finding:#}");
    }
    for finding in others {
        assert_eq!((&finding["start"], &finding["end"]), (&Value::Null, &Value::Null), "{finding:#}");
        let line = usize::try_from(finding["rendered"]["start"]["line"].as_u64().unwrap()).unwrap();
        let line = rendered.lines().nth(line - 1).unwrap();
        assert!(["  replicas: 2", "    type: RollingUpdate"].contains(&line), "{line}");
    }
}

#[test]
fn findings_of_a_packaged_chart_have_only_rendered_locations() {
    let folder = TempDir::new().unwrap();
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/charts/warehouse");
    let packed = Command::new(tool("helm")).arg("package").arg(chart).current_dir(folder.path()).output().unwrap();
    assert!(packed.status.success(), "{packed:?}");
    let tools = Tools::none().with("helm");
    let arguments = ["--format", "json", "--helm", "stock-1.0.0.tgz"];
    let report: Value = serde_json::from_str(&tools.lint_in(folder.path(), &arguments, "").output).unwrap();
    let database = json!(["amd64-node-selector", "stock/templates/database.yaml", null, 78]);
    assert!(places(&report).contains(&database), "{:#?}", places(&report));
}

#[test]
fn helm_gets_exactly_the_flags_of_the_chart() {
    let tools = Tools::none().with_script("helm", "/bin/cat; printf '%s\\n' \"$@\" >&2");
    let ran = tools.lint_in(
        Path::new("/"),
        &[
            "--helm=--odd name",
            "-f",
            "one.yaml",
            "--values=two.yaml",
            "--set",
            "a=b c",
            "--set=d={e}",
            "--release-name=r",
            "--namespace=n",
        ],
        "kind: Deployment",
    );
    insta::assert_snapshot!(shown(&ran));
}

#[test]
fn paths_are_checked_together_with_the_chart() {
    let tools = Tools::none().with("helm");
    let folder = TempDir::new().unwrap();
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/charts/warehouse");
    let service = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  annotations:\n    \
             service.beta.kubernetes.io/azure-load-balancer-internal: \"true\"\nspec:\n  type: LoadBalancer\n  \
             selector:\n    app: {name}\n  ports:\n  - port: 1433\n"
        )
    };
    fs::write(folder.path().join("services.yaml"), [service("water-gauges"), service("steam-gauges")].join("---\n"))
        .unwrap();
    let alone = tools.lint_in(folder.path(), &["--helm", chart], "");
    assert!(alone.output.contains("load-balancer-service") && alone.output.contains(" 1 file"), "{}", alone.output);
    let together = tools.lint_in(folder.path(), &["--helm", chart, "."], "");
    assert!(!together.output.contains("load-balancer-service"), "{}", together.output);
    assert!(together.output.contains(" 2 files"), "{}", together.output);
}

#[test]
fn piped_helm_output_names_its_templates() {
    let rendered = helm_template(&[]);
    // What stands beside it in the stream has its own lines.
    let example = include_str!("examples/two-replicas-rolling.yaml");
    let stream = format!("{rendered}---\n{example}");
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ran = Tools::none().lint_in(directory, &["--format", "json", "-"], &stream);
    let report: Value = serde_json::from_str(&ran.output).unwrap();
    let before = rendered.lines().count() + 1;
    let line = before + example.lines().position(|line| line == "  replicas: 2").unwrap() + 1;
    for place in [
        json!(["amd64-node-selector", "stock/templates/database.yaml", null, 78]),
        json!(["finite-tolerations", "stock/charts/edge/templates/gauges.yaml", null, 129]),
        json!(["single-replica", "<stdin>", line, null]),
    ] {
        assert!(places(&report).contains(&place), "{place} is not among {:#?}", places(&report));
    }
}

// When there is no text.

#[test]
fn a_missing_tool_is_an_error() {
    insta::assert_snapshot!(shown(&Tools::none().lint(&[
        "--helm",
        "charts/warehouse",
        "--kustomize",
        "kustomize/base"
    ])));
}

#[test]
fn a_failing_chart_is_an_error_and_other_inputs_are_checked() {
    let tools = Tools::none().with("helm");
    let arguments = ["--helm", "charts/warehouse", "--set", "replicas=0", "examples/right.yaml"];
    insta::assert_snapshot!(shown(&tools.lint(&arguments)));
    let errors = &tools.report(&arguments)["errors"];
    assert_eq!(errors[0]["file"], "charts/warehouse/Chart.yaml");
    assert_eq!((&errors[0]["line"], &errors[0]["rendered"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_template_that_renders_invalid_yaml_is_named() {
    let text = "---\n# Source: a/templates/b.yaml\nkind: [\n";
    let ran = Tools::none().lint_in(Path::new("/"), &["-"], text);
    insta::assert_snapshot!(shown(&ran));
}

/// Renders with a script in Helm's place.
fn with(script: &str) -> String {
    shown(&Tools::none().with_script("helm", script).lint(&["--helm", "charts/warehouse"]))
}

#[test]
fn control_sequences_of_a_tool_are_escaped() {
    let script = "printf 'kind: Deployment\\n'; printf '\\033[31mred\\r\\n\\a\\342\\200\\256back\\n' >&2";
    insta::assert_snapshot!(with(script), @r"
    note: found no SQL Edge or SQL Server workload; an image of another name needs the setting `images`
    nothing checked: no SQL Edge workload in 1 object, 1 file
    helm: �[31mred
    ��back
    [exit code 3]
    ");
    let failed = with(&format!("{script}; exit 3"));
    assert!(failed.contains("(exit code 3)") && failed.contains("�[31mred"), "{failed}");
    let name = "printf -- '---\\n# Source: a/templates/\\033[31m.yaml\\nkind: [\\n'";
    assert!(with(name).contains("[exit code 4]"));
}

#[test]
fn a_tool_with_too_much_output_is_stopped() {
    insta::assert_snapshot!(with("exec /usr/bin/yes 'a: b'"));
}

#[test]
fn only_the_last_lines_of_standard_error_are_shown() {
    let stderr = with("i=0; while [ $i -lt 30000 ]; do i=$((i+1)); echo \"line $i\" >&2; done; exit 1");
    assert!(stderr.contains("…") && stderr.contains("line 30000") && !stderr.contains("line 29979\n"), "{stderr}");
    assert!(stderr.contains("line 29981"), "{stderr}");
}

#[test]
fn a_killed_tool_invalid_output_and_a_failed_start_are_errors() {
    insta::assert_snapshot!(with("kill -9 $$"));
    insta::assert_snapshot!(with("printf 'a: \\377\\n'"));
    let tools = Tools::none();
    fs::write(tools.0.path().join("helm"), "").unwrap();
    insta::assert_snapshot!(shown(&tools.lint(&["--helm", "charts/warehouse"])));
}

// Kustomize.

#[test]
fn findings_in_a_kustomization_show_rendered_lines() {
    insta::assert_snapshot!(shown(&Tools::none().with_kubectl().lint(&["--kustomize", "kustomize/overlay"])));
}

#[test]
fn findings_point_to_the_files_of_origin_annotations() {
    let tools = Tools::none().with_kubectl();
    let places = places(&tools.report(&["--kustomize", "kustomize/overlay-with-origins"]));
    let file = "kustomize/base/database.yaml";
    let overlay = "kustomize/overlay-with-origins/kustomization.yaml";
    let expected = [json!(["single-replica", overlay, null, 40]), json!(["amd64-node-selector", file, 30, 77])];
    assert_eq!(places, expected);
}

#[test]
fn findings_point_to_the_patch_that_writes_the_line_and_name_the_overlay() {
    let folder = TempDir::new().unwrap();
    let base = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/kustomize/base/database.yaml");
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: tank-levels}\nspec:\n  ";
    let files = [
        ("base/database.yaml", fs::read_to_string(base).unwrap()),
        ("base/kustomization.yaml", "resources: [database.yaml]\n".to_owned()),
        ("north/replicas.yaml", format!("{patch}replicas: 2\n")),
        (
            "north/kustomization.yaml",
            "resources: [../base]\npatches: [{path: replicas.yaml}]\nnamePrefix: n-\n".to_owned(),
        ),
        (
            "south/kustomization.yaml",
            format!(
                "resources: [../base]\npatches:\n- patch: |-\n    {}",
                patch.replace('\n', "\n    ") + "replicas: 3\n"
            ),
        ),
    ];
    write_all(folder.path(), &files);
    let tools = Tools::none().with_kubectl();
    let ran =
        tools.lint_in(folder.path(), &["--kustomize", "north", "--kustomize", "south", "--format", "compact"], "");
    insta::assert_snapshot!(shown(&ran));
}

#[test]
fn kustomize_is_used_without_kubectl() {
    let arguments = ["--kustomize", "kustomize/overlay", "--kustomize", "kustomize/overlay-with-origins"];
    let [one, other] =
        [Tools::none().with_kubectl(), Tools::none().with("kustomize")].map(|tools| tools.lint(&arguments));
    assert_eq!((one.code, &one.output), (1, &other.output));
    let missing = Tools::none().with("kustomize").lint(&["--kustomize", "charts"]);
    assert_eq!(missing.code, 4);
    assert!(missing.output.contains("`kustomize build charts` failed (exit code 1)"), "{}", missing.output);
}

#[test]
fn an_origin_annotation_without_a_local_file_is_ignored() {
    let folder = TempDir::new().unwrap();
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/kustomize/base/database.yaml")).unwrap();
    for path in ["nowhere.yaml", "/dev/zero", "..", "\\0"] {
        let annotation =
            format!("name: tank-levels\n  annotations:\n    config.kubernetes.io/origin: \"path: {path}\"");
        let text = text.replacen("name: tank-levels", &annotation, 2);
        fs::write(folder.path().join("database.yaml"), text).unwrap();
        let tools = Tools::none().with_script("kubectl", "exec /bin/cat database.yaml");
        let ran = tools.lint_in(folder.path(), &["--kustomize", "overlay"], "");
        assert!(ran.output.contains("--> overlay (rendered):"), "{path}: {}", ran.output);
    }
}
