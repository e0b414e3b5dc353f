//! The names of inputs in reports, without access to the file system.

use std::path::{Component, Path, PathBuf};

use crate::escape::escape;

/// The name of standard input in reports.
pub const STANDARD_INPUT_NAME: &str = "<stdin>";

/// The name of a path in reports.
pub fn path_name(path: &Path) -> String {
    let name = path.to_string_lossy();
    escape(name.strip_prefix("./").unwrap_or(&name))
}

/// The directory of a file: the current one for a bare name.
pub fn directory_of(file: &Path) -> &Path {
    file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes `.` and `..` from a path. A relative path keeps a leading `..`.
pub(crate) fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match (component, normal.components().next_back()) {
            (Component::CurDir, _) | (Component::ParentDir, Some(Component::RootDir)) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                normal.pop();
            }
            _ => normal.push(component),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_removed() {
        for (path, expected) in [("a/../b/c", "b/c"), ("./a/b/../../../c", "../c"), ("/../a/./b", "/a/b")] {
            assert_eq!(normalize(Path::new(path)), Path::new(expected));
        }
    }
}
