//! What could not be written: one line for each reason.

use std::collections::BTreeMap;

use crate::audit::report::namespaces::ReportApi;
use crate::audit::retry::RequestError;

/// The most namespaces that a line names.
const MAX_NAMES: usize = 3;

/// The namespaces by what failed and why.
#[derive(Debug, Default)]
pub(super) struct Problems(BTreeMap<(String, String), Vec<String>>);

impl Problems {
    /// Adds an error; `namespace` is `None` for all.
    pub(super) fn add(&mut self, api: &ReportApi, verb: &str, namespace: Option<&str>, error: &RequestError) {
        let failed = format!("cannot {verb} {}", api.full_name());
        let reason = error.describe();
        let namespaces = self.0.entry((failed, reason)).or_default();
        namespaces.extend(namespace.map(str::to_owned));
    }

    /// The lines.
    pub(super) fn into_lines(self) -> Vec<String> {
        let line = |((failed, reason), namespaces): ((String, String), Vec<String>)| {
            format!("{failed}{}: {reason}", place(&namespaces))
        };
        self.0.into_iter().map(line).collect()
    }
}

fn place(namespaces: &[String]) -> String {
    let Some((shown, rest)) = namespaces.split_at_checked(MAX_NAMES.min(namespaces.len())) else {
        return String::new();
    };
    match (shown, rest.len()) {
        ([], _) => String::new(),
        ([one], 0) => format!(" in namespace {one}"),
        (_, 0) => format!(" in namespaces {}", shown.join(", ")),
        (_, more) => format!(" in namespaces {} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_few_namespaces() {
        let api = ReportApi::ALL[0];
        let error = RequestError::NoAnswer("connection refused".to_owned());
        let mut problems = Problems::default();
        (1..=5).for_each(|number| problems.add(&api, "write", Some(&format!("n{number}")), &error));
        problems.add(&api, "list", None, &error);
        problems.add(&api, "delete", Some("old"), &error);
        assert_eq!(
            problems.into_lines(),
            [
                "cannot delete reports.openreports.io in namespace old: connection refused",
                "cannot list reports.openreports.io: connection refused",
                "cannot write reports.openreports.io in namespaces n1, n2, n3 and 2 more: connection refused",
            ]
        );
    }
}
