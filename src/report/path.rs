//! File paths in reports for other programs: relative to the directory of the run where possible, because a code host
//! finds files by that path.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::input_name::{STANDARD_INPUT_NAME, normalize};

/// The characters to escape in a URI path (RFC 3986). A colon in the first segment would end a scheme.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b'@')
    .remove(b'/');

/// A file as reports name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReportPath<'n> {
    /// A file below the directory of the run, relative to it.
    Relative(Cow<'n, str>),
    /// Any other file.
    Absolute(String),
    /// Standard input.
    StandardInput,
}

impl<'n> ReportPath<'n> {
    /// The path of an input with this name, for a run in `directory`.
    pub(super) fn new(name: &'n str, directory: &Path) -> Self {
        if name == STANDARD_INPUT_NAME {
            return ReportPath::StandardInput;
        }
        let path = Path::new(name);
        if path.components().all(|component| matches!(component, Component::Normal(_))) {
            return ReportPath::Relative(Cow::Borrowed(name));
        }
        let path: PathBuf = normalize(&directory.join(path));
        match path.strip_prefix(directory) {
            Ok(relative) => ReportPath::Relative(Cow::Owned(relative.to_string_lossy().into_owned())),
            Err(_) => ReportPath::Absolute(path.to_string_lossy().into_owned()),
        }
    }

    /// The path as text.
    pub(super) fn as_str(&self) -> &str {
        match self {
            ReportPath::Relative(path) => path,
            ReportPath::Absolute(path) => path,
            ReportPath::StandardInput => STANDARD_INPUT_NAME,
        }
    }

    /// The URI; relative for a relative path.
    pub(super) fn uri(&self) -> String {
        match self {
            ReportPath::Relative(path) => encoded(path),
            ReportPath::Absolute(path) => file_uri(path),
            ReportPath::StandardInput => "stdin:".to_owned(),
        }
    }
}

/// The URI of a file with this absolute path, which begins with a slash.
pub(crate) fn file_uri(path: &str) -> String {
    format!("file://{}", encoded(path))
}

fn encoded(path: &str) -> String {
    utf8_percent_encode(path, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_directory_of_the_run_and_escaped_in_uris() {
        let cases = [
            ("k8s/sql.yaml", "k8s/sql.yaml", "k8s/sql.yaml"),
            ("a b%#?:é.yaml", "a b%#?:é.yaml", "a%20b%25%23%3F%3A%C3%A9.yaml"),
            ("/src/app/k8s/sql.yaml", "k8s/sql.yaml", "k8s/sql.yaml"),
            ("k8s/../sql.yaml", "sql.yaml", "sql.yaml"),
            ("../other/[x].yaml", "/src/other/[x].yaml", "file:///src/other/%5Bx%5D.yaml"),
            ("<stdin>", "<stdin>", "stdin:"),
        ];
        for (name, path, uri) in cases {
            let report_path = ReportPath::new(name, Path::new("/src/app"));
            assert_eq!((report_path.as_str(), report_path.uri().as_str()), (path, uri), "{name}");
        }
    }
}
