//! URIs of files.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use crate::input_name::normalize;
use crate::report::file_uri;

/// The path of a `file:` URI; `None` for other URIs, such as that of a buffer without a file.
pub(super) fn to_path(uri: &str) -> Option<PathBuf> {
    let path = uri.strip_prefix("file://")?;
    let path = path.strip_prefix("localhost").unwrap_or(path);
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let path = path.strip_prefix('/').filter(|rest| has_drive(rest)).unwrap_or(&path);
    (path.starts_with('/') || has_drive(path)).then(|| normalize(Path::new(path)))
}

/// The URI of an absolute path.
pub(super) fn from_path(path: &Path) -> String {
    let path = path.to_string_lossy();
    if has_drive(&path) { file_uri(&format!("/{}", path.replace('\\', "/"))) } else { file_uri(&path) }
}

/// Whether a path starts with a drive, as on Windows.
fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_uris_belong_together() {
        for (uri, path) in [
            ("file:///src/a%20b%23%3A%C3%A9.yaml", "/src/a b#:é.yaml"),
            ("file:///src/app/sql.yaml", "/src/app/sql.yaml"),
        ] {
            assert_eq!(to_path(uri).as_deref(), Some(Path::new(path)));
            assert_eq!(from_path(Path::new(path)), uri);
        }
        assert_eq!(from_path(Path::new(r"c:\src\sql.yaml")), "file:///c%3A/src/sql.yaml");
        assert_eq!(to_path("file:///c%3A/src/sql.yaml").as_deref(), Some(Path::new("c:/src/sql.yaml")));
        assert_eq!(to_path("file://localhost/src/../a.yaml").as_deref(), Some(Path::new("/a.yaml")));
        for other in ["untitled:Untitled-1", "file://host/share/a.yaml", "file:///%FF.yaml", "git:/a.yaml", "file://"] {
            assert_eq!(to_path(other), None, "{other}");
        }
    }
}
