//! How reports for other programs call a file: by its path from the directory that the command ran in, where it is in
//! there, because that is what a forge can find.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::input::STANDARD_INPUT_NAME;

/// What is not escaped in a segment of a URI's path (RFC 3986): but not the colon, which in the first segment would make
/// a scheme of what stands before it.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
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

/// Finds out how files are called.
#[derive(Debug)]
pub(super) struct Addresses {
    here: PathBuf,
}

/// Where a text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address<'n> {
    /// A file in the directory that the command ran in, by its path from there, with `/` between the names.
    Below(Cow<'n, str>),
    /// Another file, by its whole path.
    Elsewhere(String),
    /// Standard input.
    StandardInput,
}

impl Addresses {
    /// As seen from the current directory.
    pub(super) fn here() -> Self {
        Addresses { here: std::env::current_dir().unwrap_or_default() }
    }

    /// Where the text that reports call `name` comes from.
    pub(super) fn of<'n>(&self, name: &'n str) -> Address<'n> {
        if name == STANDARD_INPUT_NAME {
            return Address::StandardInput;
        }
        let path = Path::new(name);
        if path.components().all(|component| matches!(component, Component::Normal(_))) {
            return Address::Below(Cow::Borrowed(name));
        }
        let path = without_detours(&self.here.join(path));
        match path.strip_prefix(&self.here) {
            Ok(below) => Address::Below(Cow::Owned(below.to_string_lossy().into_owned())),
            Err(_) => Address::Elsewhere(path.to_string_lossy().into_owned()),
        }
    }
}

/// A path without `.` and `..`.
fn without_detours(path: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                straight.pop();
            }
            other => straight.push(other),
        }
    }
    straight
}

impl Address<'_> {
    /// The path, for people and for programs that take one.
    pub(super) fn path(&self) -> &str {
        match self {
            Address::Below(path) => path,
            Address::Elsewhere(path) => path,
            Address::StandardInput => STANDARD_INPUT_NAME,
        }
    }

    /// The URI: a relative one for what is below.
    pub(super) fn uri(&self) -> String {
        let encoded = |path: &str| utf8_percent_encode(path, SEGMENT).to_string();
        match self {
            Address::Below(path) => encoded(path),
            Address::Elsewhere(path) => format!("file://{}", encoded(path)),
            Address::StandardInput => "stdin:".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_by_their_path_from_here_as_uris_ask() {
        let addresses = Addresses { here: PathBuf::from("/src/app") };
        let cases = [
            ("k8s/sql.yaml", "k8s/sql.yaml", "k8s/sql.yaml"),
            ("a b%#?:é.yaml", "a b%#?:é.yaml", "a%20b%25%23%3F%3A%C3%A9.yaml"),
            ("/src/app/k8s/sql.yaml", "k8s/sql.yaml", "k8s/sql.yaml"),
            ("k8s/../sql.yaml", "sql.yaml", "sql.yaml"),
            ("../other/[x].yaml", "/src/other/[x].yaml", "file:///src/other/%5Bx%5D.yaml"),
            ("<stdin>", "<stdin>", "stdin:"),
        ];
        for (name, path, uri) in cases {
            let address = addresses.of(name);
            assert_eq!((address.path(), address.uri().as_str()), (path, uri), "{name}");
        }
    }
}
