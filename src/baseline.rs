//! Baselines: the findings that a repository had when its team began to check it. They are not reported.

use std::collections::HashMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic_write::atomic_write;
use crate::counted::counted;
use crate::escape::escape;
use crate::exit::CommandError;
use crate::input::{SizeLimit, read_limited};
use crate::input_name::{STANDARD_INPUT_NAME, normalize};
use crate::linter::{LintResult, LintedFile, LocatedFinding};
use crate::message::describe_io_error;
use crate::report::fingerprint::fingerprint;

/// The version of the file format.
const VERSION: u32 = 1;

/// The maximum size of a baseline: about a million findings.
const LIMIT: SizeLimit = SizeLimit { bytes: 256 << 20, help: "" };

const NOT_A_BASELINE: &str = "not a baseline; name another file, or remove it";

/// The findings that are not reported, as a file has them.
#[derive(Debug)]
pub struct Baseline {
    path: PathBuf,
    entries: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    version: u32,
    findings: Vec<Entry>,
}

/// One finding. Only the fingerprint is compared; the rest tells people what it is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Entry {
    file: String,
    object: String,
    rule: String,
    fingerprint: String,
}

impl Baseline {
    /// Reads a baseline.
    ///
    /// # Errors
    /// [`CommandError`] with exit code 2 if there is no such file, or it is no baseline of this version.
    pub fn read(path: &Path) -> Result<Self, CommandError> {
        let name = escape(&path.to_string_lossy());
        let failure = |problem: String| CommandError::usage(format!("--baseline: {name}: {problem}"));
        let text = read_limited(LIMIT, path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => failure("no such file; create it with --write-baseline".to_owned()),
            _ => failure(error.to_string()),
        })?;
        let content: Content = serde_json::from_slice(&text).map_err(|_| failure(NOT_A_BASELINE.to_owned()))?;
        if content.version != VERSION {
            return Err(failure(format!("version {} is not known; replace it with --write-baseline", content.version)));
        }
        Ok(Baseline { path: path.to_owned(), entries: content.findings })
    }

    /// The baseline of the findings of a run, for a file at `path`.
    pub fn from_result(result: &LintResult, path: &Path) -> Self {
        let files = Files::new(path);
        let entry = |located: &LocatedFinding| {
            let object = [&located.object.kind, &located.object.namespace, &located.object.name];
            let object = object.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("/");
            let file = files.name(&result.files, located);
            let fingerprint = fingerprint(located, &file);
            Entry { file, object, rule: located.finding.rule.to_owned(), fingerprint }
        };
        let mut entries: Vec<Entry> = result.findings.iter().map(entry).collect();
        entries.sort();
        Baseline { path: path.to_owned(), entries }
    }

    /// Writes the file, or leaves the old one unchanged.
    ///
    /// # Errors
    /// [`CommandError`] with exit code 2 if it would replace a file that is no baseline, and 4 if it cannot be written.
    pub fn write(&self) -> Result<(), CommandError> {
        let is_other = match read_limited(LIMIT, &self.path) {
            Ok(text) => serde_json::from_slice::<Content>(&text).is_err(),
            Err(error) => error.kind() == ErrorKind::FileTooLarge,
        };
        if is_other {
            let path = escape(&self.path.to_string_lossy());
            return Err(CommandError::usage(format!("--write-baseline: {path}: {NOT_A_BASELINE}")));
        }
        let content = serde_json::json!({"version": VERSION, "findings": self.entries});
        let written = atomic_write(&self.path, |file| writeln!(file, "{content:#}"));
        written.map_err(|error| {
            let path = escape(&self.path.to_string_lossy());
            CommandError::unreadable(format!("--baseline: cannot write {path}: {}", describe_io_error(&error)))
        })
    }

    /// Removes the findings that are in the baseline, and notes how many these are.
    pub fn apply(&self, result: &mut LintResult) {
        let mut left: HashMap<&str, usize> = HashMap::new();
        for entry in &self.entries {
            *left.entry(&entry.fingerprint).or_default() += 1;
        }
        let files = Files::new(&self.path);
        let findings = std::mem::take(&mut result.findings);
        let all = findings.len();
        let mut is_new = |located: &LocatedFinding| {
            match left.get_mut(&*fingerprint(located, &files.name(&result.files, located))) {
                Some(count) if *count > 0 => *count -= 1,
                _ => return true,
            }
            false
        };
        result.findings = findings.into_iter().filter(|located| is_new(located)).collect();
        let path = escape(&self.path.to_string_lossy());
        let (hidden, fixed) = (all - result.findings.len(), left.into_values().sum::<usize>());
        let fixed = match fixed {
            0 => String::new(),
            _ => format!("; {} of it were not found: --write-baseline removes them", counted(fixed, "finding")),
        };
        result.notes.push(format!("not reported: {} in the baseline {path}{fixed}", counted(hidden, "finding")));
    }
}

/// The way from a directory to a file, both absolute.
fn relative(path: &Path, directory: &Path) -> PathBuf {
    let above = directory.ancestors().position(|above| path.starts_with(above)).unwrap_or_default();
    let common = directory.ancestors().nth(above).unwrap_or(directory);
    let down = path.strip_prefix(common).unwrap_or(path);
    std::iter::repeat_n(Path::new(".."), above).collect::<PathBuf>().join(down)
}

/// Names files relative to the directory of a baseline, so that it does not matter where the command runs.
struct Files {
    directory: Option<PathBuf>,
}

impl Files {
    fn new(baseline: &Path) -> Self {
        let path = std::path::absolute(baseline).ok();
        Files { directory: path.and_then(|path| Some(normalize(&path).parent()?.to_owned())) }
    }

    fn name(&self, files: &[LintedFile], located: &LocatedFinding) -> String {
        let name = files.get(located.file).map_or("", |file| file.name.as_str());
        if name == STANDARD_INPUT_NAME {
            return name.to_owned();
        }
        let Ok(path) = std::path::absolute(name) else { return name.to_owned() };
        let path = normalize(&path);
        let relative = self.directory.as_deref().map(|directory| relative(&path, directory));
        relative.unwrap_or(path).to_string_lossy().replace('\\', "/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_same_name_in_every_copy_of_a_repository() {
        let shown = |path: &str, directory: &str| relative(Path::new(path), Path::new(directory)).display().to_string();
        assert_eq!(shown("/repo/k8s/sql.yaml", "/repo"), "k8s/sql.yaml");
        assert_eq!(shown("/repo/k8s/sql.yaml", "/repo/ci"), "../k8s/sql.yaml");
        assert_eq!(shown("/repo/sql.yaml", "/repo/ci/lint"), "../../sql.yaml");
        assert_eq!(shown("/other/sql.yaml", "/repo"), "../other/sql.yaml");
    }
}
