//! Files that are replaced at once: whoever reads meanwhile sees the old content or the new.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::Builder;

use crate::exit::{in_words, plain};

/// Lets `write` fill a file that takes the place of the one at `path`, with its permissions and, as far as the system
/// allows that, its owner; or becomes it. If anything fails everything stays as it was. Other names of the old file (hard
/// links) keep the old content.
///
/// # Errors
/// Those of `write` and of the system; and if something is there that is no file.
pub fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let before = fs::metadata(path).ok();
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        return Err(io::Error::other("it is no regular file, and is not replaced"));
    }
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let mut temporary = Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any program makes files: what the user's mask leaves of it.
        temporary.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut temporary = temporary.tempfile_in(folder).map_err(|error| not_made(error.kind(), folder))?;
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

/// The error without the name of the temporary file, which would mean nothing to anybody.
fn not_made(kind: io::ErrorKind, folder: &Path) -> io::Error {
    if kind == io::ErrorKind::NotFound && !folder.is_dir() {
        return no_folder(folder);
    }
    io::Error::new(kind, format!("no file can be made in its directory: {}", in_words(&kind.into())))
}

/// What is wrong if the folder of a file that is to be made does not exist.
pub(crate) fn no_folder(folder: &Path) -> io::Error {
    let folder = plain(&folder.to_string_lossy());
    io::Error::new(io::ErrorKind::NotFound, format!("there is no directory `{folder}`; make it first"))
}

/// Gives a file the owner and the group of the one that it replaces. Only root may give files away; whoever else may
/// replace a file then owns it, and gives it at least the group if he is in it.
#[cfg(unix)]
fn keep_owner(file: &File, before: &fs::Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let _ = fchown(file, Some(before.uid()), Some(before.gid())).or_else(|_| fchown(file, None, Some(before.gid())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap().path().join("missing");
        let error = replace(&folder.join("file"), |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), format!("there is no directory `{}`; make it first", folder.display()));
    }
}
