//! Path normalization without access to the file system.

use std::path::{Component, Path, PathBuf};

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
