//! Files that are replaced at once: whoever reads meanwhile sees the old content or the new.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::Builder;

/// Lets `write` fill a file that takes the place of the one at `path`, with its permissions, or becomes it. If anything
/// fails everything stays as it was.
///
/// # Errors
/// Those of `write` and of the system; and if something is there that is no file.
pub fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let before = fs::metadata(path).ok();
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        return Err(io::Error::other("it is no file that could be replaced"));
    }
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let mut temporary = Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any program makes files: what the user's mask leaves of it.
        temporary.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut temporary = temporary.tempfile_in(folder)?;
    write(temporary.as_file_mut())?;
    if let Some(before) = before {
        temporary.as_file().set_permissions(before.permissions())?;
    }
    temporary.as_file().sync_all()?;
    temporary.persist(path)?;
    Ok(())
}
