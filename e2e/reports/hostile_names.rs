//! Object and file names with special characters of terminals and report formats.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::{FORMATS, application, results, run, sarif_run};

/// Manifests with such file names and object names.
fn hostile_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(application().join("sql.yaml")).unwrap();
    let names = ["a\n::error::b%0A.yaml", "c:d,e=f%41&<'\"]]>é 🦀.yaml", "\u{1b}[2J\u{202e}.yaml", "-g#h?.yaml"];
    let objects = [
        r#""x\n::error file=y::z""#,
        r#""<b>&]]>%0A{0}[l](http://example.org)""#,
        r#""\e[2J\u202E\x9B""#,
        r#""%41,:""#,
    ];
    for (name, object) in names.into_iter().zip(objects) {
        let text = text.replacen("  name: ferry-tickets", &format!("  name: {object}"), 1);
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::write(folder.path().join("broken\n::warning::.yaml"), "kind: [\n").unwrap();
    folder
}

#[test]
fn special_characters_in_names_are_escaped_in_every_format() {
    let folder = hostile_folder();
    for format in FORMATS {
        let ran = run(folder.path(), &["lint", "--format", format, "--fail-on", "warning", "."]);
        assert_eq!(ran.code, 4, "{format}: {}", ran.stderr);
        let misleads = |character: char| character != '\n' && sqledge_ha_policy::finding::is_control_or_bidi(character);
        assert!(!ran.output.contains(misleads), "{format}: {:?}", ran.output);
        match format {
            "json" => {
                let report: Value = serde_json::from_str(&ran.output).unwrap();
                assert_eq!(report["errors"].as_array().unwrap().len(), 1);
            }
            "sarif" => {
                let run = sarif_run(&ran.output);
                let uris: BTreeSet<&str> = results(&run)
                    .iter()
                    .filter_map(|result| result.pointer("/locations/0/physicalLocation/artifactLocation/uri")?.as_str())
                    .collect();
                assert!(uris.contains("c%3Ad,e=f%2541&%3C'%22%5D%5D%3E%C3%A9%20%F0%9F%A6%80.yaml"), "{uris:?}");
                assert!(uris.contains("-g%23h%3F.yaml"), "{uris:?}");
            }
            "junit" => {
                let report = quick_junit::Report::deserialize_from_str(&ran.output).unwrap();
                assert_eq!((report.errors, report.test_suites.len()), (1, 5));
            }
            "github" => {
                let (commands, last) = ran.output.trim_end().rsplit_once('\n').unwrap();
                let (commands, last) = match last.contains("only in this log") {
                    true => commands.rsplit_once('\n').unwrap(),
                    false => (commands, last),
                };
                assert!(last.starts_with(|first: char| first.is_ascii_digit()), "{last}");
                for line in commands.lines().filter(|line| !line.starts_with("::notice title=sqledge-ha::Microsoft")) {
                    assert!(line.starts_with("::error file=") || line.starts_with("::warning file="), "{line}");
                }
                assert!(ran.output.contains("file=c%3Ad%2Ce=f%2541&<'\"]]>é 🦀.yaml,line="), "{}", ran.output);
            }
            _ => {}
        }
    }
}
