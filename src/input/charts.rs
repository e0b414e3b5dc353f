//! The templates of Helm charts, which are no manifests before Helm renders them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::{CONFIG_LIMIT, read_limited};
use crate::manifest::{decode, read};

/// The directory of templates in a chart.
const TEMPLATES: &str = "templates";

/// The file that makes a directory a chart.
const CHART: &str = "Chart.yaml";

/// The file that makes a directory a chart, if it is one.
pub(super) fn chart_file(directory: &Path) -> Option<PathBuf> {
    Some(directory.join(CHART)).filter(|path| path.is_file())
}

/// Whether a chart has only templates for other charts.
pub(super) fn is_library(chart: &Path) -> bool {
    let bytes = chart_file(chart).and_then(|path| read_limited(CONFIG_LIMIT, &path).ok());
    let chart = bytes.and_then(|bytes| read(&decode(bytes).ok()?).into_iter().flatten().next());
    chart.is_some_and(|chart| chart.value.get("type").and_then(Value::as_str) == Some("library"))
}

/// Finds the chart of a file. Each directory is looked at once.
#[derive(Debug, Default)]
pub(crate) struct Charts(Mutex<HashMap<PathBuf, bool>>);

impl Charts {
    /// The directory of the chart of which `file`, with this text, is a template.
    pub(crate) fn chart_of<'p>(&self, file: &'p Path, text: &str) -> Option<&'p Path> {
        if !text.contains("{{") {
            return None;
        }
        let templates = file.ancestors().skip(1).filter(|directory| directory.ends_with(TEMPLATES));
        templates.filter_map(Path::parent).find(|directory| self.is_chart(directory))
    }

    fn is_chart(&self, directory: &Path) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(directory.to_owned()).or_insert_with(|| chart_file(directory).is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_with_actions_below_templates_belong_to_a_chart() {
        let folder = tempfile::tempdir().unwrap();
        let chart = folder.path().join("shop");
        fs::create_dir_all(&chart).unwrap();
        fs::write(chart.join(CHART), "name: shop\n").unwrap();
        let charts = Charts::default();
        let of = |path: &str, text| charts.chart_of(&folder.path().join(path), text).map(Path::to_owned);
        assert_eq!(of("shop/templates/sql/deployment.yaml", "kind: {{ .kind }}"), Some(chart.clone()));
        assert_eq!(of("shop/templates/deployment.yaml", "kind: Deployment"), None);
        assert_eq!(of("shop/values.yaml", "{{ }}"), None);
        assert_eq!(of("templates/deployment.yaml", "{{ }}"), None);
    }
}
