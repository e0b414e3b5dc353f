//! Applications that are right by different routes have no finding; two are refused for their storage.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::corpus::lint;
use crate::shared::root;

/// The applications with findings, and the rules that report them.
const REFUSED: [(&str, &str); 2] =
    [("refused-local-path.yaml", "portable-storage"), ("refused-nfs.yaml", "supported-filesystem")];

#[test]
fn right_applications_have_no_finding() {
    let folder = root().join("e2e/applications");
    let refused = BTreeMap::from(REFUSED);
    let mut right = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text = fs::read_to_string(folder.join(&name)).unwrap();
        let flags = text.lines().next().and_then(|line| line.strip_prefix("# lint: ")).unwrap_or_default();
        let arguments = flags.split_whitespace().chain(["--format", "json", &*name]).collect::<Vec<_>>();
        let report: Value = serde_json::from_str(&lint(&folder, &arguments).output).unwrap();
        let findings = report["findings"].as_array().unwrap().iter();
        let rules: Vec<&str> = findings.map(|finding| finding["rule"].as_str().unwrap()).collect();
        assert_eq!(rules, refused.get(&*name).copied().into_iter().collect::<Vec<_>>(), "{name}");
        assert_eq!(
            (&report["summary"]["workloads"], report["summary"]["errors"].is_u64()),
            (&Value::from(1), true),
            "{name}"
        );
        right += usize::from(rules.is_empty());
    }
    assert_eq!(right, 20);
}
