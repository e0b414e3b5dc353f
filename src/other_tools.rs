//! Checks of other tools that require the opposite of a rule, and how to switch them off for one object.
//!
//! Sources: the lists of checks of [kube-score](https://github.com/zegl/kube-score/blob/master/README_CHECKS.md),
//! [kube-linter](https://docs.kubelinter.io/#/generated/checks),
//! [Polaris](https://polaris.docs.fairwinds.com/checks/reliability/), [Kubescape](https://hub.armosec.io/docs/controls)
//! and [datree](https://hub.datree.io/built-in-rules).

/// A tool that checks manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// kube-score.
    KubeScore,
    /// kube-linter.
    KubeLinter,
    /// Polaris.
    Polaris,
    /// Kubescape.
    Kubescape,
    /// datree.
    Datree,
}

impl Tool {
    /// The name in texts.
    pub fn name(self) -> &'static str {
        match self {
            Tool::KubeScore => "kube-score",
            Tool::KubeLinter => "kube-linter",
            Tool::Polaris => "Polaris",
            Tool::Kubescape => "Kubescape",
            Tool::Datree => "datree",
        }
    }

    /// What switches a check off: an annotation of the object, or a file.
    pub fn exception(self, check: &str) -> String {
        match self {
            Tool::KubeScore => format!("annotation `kube-score/ignore: {check}`"),
            Tool::KubeLinter => format!("annotation `ignore-check.kube-linter.io/{check}: one writer`"),
            Tool::Polaris => format!("annotation `polaris.fairwinds.com/{check}-exempt: \"true\"`"),
            Tool::Kubescape => {
                format!("`{{\"controlID\": \"{check}\"}}` in the `posturePolicies` of a file for `--exceptions`")
            }
            Tool::Datree => format!("annotation `datree.skip/{check}: one writer`"),
        }
    }
}

/// A check that requires the opposite of a rule.
#[derive(Clone, Copy, Debug)]
pub struct OtherCheck {
    /// The id of the rule.
    pub rule: &'static str,
    /// The tool.
    pub tool: Tool,
    /// The check's name.
    pub name: &'static str,
    /// What it requires.
    pub requires: &'static str,
    /// Whether the tool runs it without being told.
    pub is_default: bool,
}

/// The checks, by rule.
pub const OTHER_CHECKS: [OtherCheck; 9] = [
    check("single-replica", Tool::KubeScore, "deployment-replicas", "two or more replicas"),
    optional("single-replica", Tool::KubeLinter, "minimum-three-replicas", "three or more replicas"),
    check("single-replica", Tool::Polaris, "deploymentMissingReplicas", "two or more replicas"),
    check("single-replica", Tool::Datree, "DEPLOYMENT_INCORRECT_REPLICAS_VALUE", "two or more replicas"),
    check(
        "no-autoscaling",
        Tool::KubeScore,
        "horizontalpodautoscaler-replicas",
        "an autoscaler with two or more replicas",
    ),
    check("recreate-strategy", Tool::KubeScore, "deployment-strategy", "the strategy RollingUpdate"),
    optional("recreate-strategy", Tool::KubeLinter, "no-rolling-update-strategy", "the strategy RollingUpdate"),
    check("recreate-strategy", Tool::Kubescape, "C-0305", "a strategy other than Recreate"),
    optional(
        "load-balancer-service",
        Tool::KubeLinter,
        "exposed-services",
        "no Service of type NodePort or LoadBalancer",
    ),
];

const fn check(rule: &'static str, tool: Tool, name: &'static str, requires: &'static str) -> OtherCheck {
    OtherCheck { rule, tool, name, requires, is_default: true }
}

const fn optional(rule: &'static str, tool: Tool, name: &'static str, requires: &'static str) -> OtherCheck {
    OtherCheck { is_default: false, ..check(rule, tool, name, requires) }
}

/// The heading of [`section`].
pub const HEADING: &str = "Other tools";

/// The checks that require the opposite of a rule, as a Markdown section; empty if there is none.
///
/// ```
/// use sqledge_ha::other_tools::section;
///
/// assert!(section("recreate-strategy").contains("kube-score/ignore: deployment-strategy"));
/// assert_eq!(section("one-engine"), "");
/// ```
pub fn section(rule: &str) -> String {
    let checks = OTHER_CHECKS.iter().filter(|check| check.rule == rule);
    let lines: String = checks
        .map(|OtherCheck { tool, name, requires, .. }| {
            format!("- {} `{name}` requires {requires}. Exception: {}\n", tool.name(), tool.exception(name))
        })
        .collect();
    if lines.is_empty() { lines } else { format!("\n# {HEADING}\nThese checks require the opposite:\n{lines}") }
}

/// All of them as a Markdown table, with links to the rules.
pub fn table(rules_page: &str) -> String {
    let mut table = "| tool | check | it requires | rule |\n|---|---|---|---|\n".to_owned();
    for OtherCheck { rule, tool, name, requires, is_default } in OTHER_CHECKS {
        let off = if is_default { "" } else { " (off by default)" };
        table
            .push_str(&format!("| {} | `{name}`{off} | {requires} | [`{rule}`]({rules_page}#{rule}) |\n", tool.name()));
    }
    table
}

#[cfg(test)]
mod tests {
    use sqledge_ha_policy::rules::find;

    use super::*;

    #[test]
    fn each_check_belongs_to_a_rule() {
        for OtherCheck { rule, name, .. } in OTHER_CHECKS {
            assert!(find(rule).is_some(), "{name}: {rule}");
        }
    }
}
