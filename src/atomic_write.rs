//! Replaces files atomically: a concurrent reader sees the old content or the new.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::Builder;

use crate::escape::escape;
use crate::input_name::directory_of;
use crate::message::describe_io_error;

/// Creates or replaces the file at `path` with the content that `write` writes. A replaced file keeps its permissions
/// and, if the system allows it, its owner. If anything fails, the old file is unchanged. Hard links to the old file
/// keep the old content.
///
/// # Errors
/// Errors of `write` and of the system; and if `path` is not a regular file.
pub fn atomic_write(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let before = fs::metadata(path).ok();
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        return Err(io::Error::other("not a regular file"));
    }
    let directory = directory_of(path);
    let mut temporary = Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The default mode of new files, before the umask.
        temporary.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut temporary = temporary.tempfile_in(directory).map_err(|error| cannot_create(error.kind(), directory))?;
    write(temporary.as_file_mut())?;
    if let Some(before) = before {
        #[cfg(unix)]
        keep_owner(temporary.as_file(), &before);
        temporary.as_file().set_permissions(before.permissions())?;
    }
    temporary.as_file().sync_all()?;
    temporary.persist(path)?;
    Ok(())
}

/// The error without the name of the temporary file.
fn cannot_create(kind: io::ErrorKind, directory: &Path) -> io::Error {
    if kind == io::ErrorKind::NotFound && !directory.is_dir() {
        return missing_directory(directory);
    }
    io::Error::new(kind, format!("cannot create a file in its directory: {}", describe_io_error(&kind.into())))
}

/// The error for a file whose directory does not exist.
pub(crate) fn missing_directory(directory: &Path) -> io::Error {
    let directory = escape(&directory.to_string_lossy());
    io::Error::new(io::ErrorKind::NotFound, format!("directory `{directory}` does not exist"))
}

/// Sets the owner and group of the replaced file. Only root can change the owner; other users keep at least the group,
/// if they are members of it.
#[cfg(unix)]
fn keep_owner(file: &File, before: &fs::Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let _ = fchown(file, Some(before.uid()), Some(before.gid())).or_else(|_| fchown(file, None, Some(before.gid())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_directory_is_named() {
        let directory = tempfile::tempdir().unwrap().path().join("missing");
        let error = atomic_write(&directory.join("file"), |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), format!("directory `{}` does not exist", directory.display()));
    }
}
