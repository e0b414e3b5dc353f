//! What was pulled before: a folder of files, each named by the digest of its content.

use std::env;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::digest::Digest;
use crate::replace::replace;

/// A folder that may hold what a registry would send. Whatever goes wrong with it is only logged: the registry has
/// everything.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// A cache in a folder, which need not exist.
    pub fn new(folder: &Path) -> Self {
        Cache { folder: folder.to_owned() }
    }

    /// The folder of this command among the caches of the user; `None` if the user has no home.
    pub fn of_the_user() -> Option<Self> {
        let named = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
        let home = || env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(".cache"));
        named.or_else(home).map(|folder| Cache { folder: folder.join(env!("CARGO_PKG_NAME")) })
    }

    /// What the digest names, if it is here and at most `limit` bytes long. It is hashed again: anybody may have written
    /// here.
    pub(super) fn read(&self, digest: &Digest, limit: u64) -> Option<Vec<u8>> {
        let path = self.path(digest);
        let mut content = Vec::new();
        File::open(&path).ok()?.take(limit).read_to_end(&mut content).ok()?;
        if Digest::of(&content) == *digest {
            return Some(content);
        }
        tracing::warn!(path = %path.display(), "what is cached is not what its name says, and is not used");
        None
    }

    /// Keeps what the digest names, as a whole or not at all.
    pub(super) fn keep(&self, digest: &Digest, content: &[u8]) {
        let path = self.path(digest);
        let kept = fs::create_dir_all(&self.folder).and_then(|()| replace(&path, |file| file.write_all(content)));
        if let Err(error) = kept {
            tracing::warn!(path = %path.display(), %error, "what was pulled is not kept for the next start");
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("sha256-{}", digest.hex()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_and_what_is_altered_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(&folder.path().join("not/yet"));
        let digest = Digest::of(b"module");
        assert_eq!(cache.read(&digest, 6), None);
        cache.keep(&digest, b"module");
        assert_eq!(cache.read(&digest, 6).as_deref(), Some(&b"module"[..]));
        assert_eq!(cache.read(&digest, 5), None);
        fs::write(cache.path(&digest), "modulo").unwrap();
        assert_eq!(cache.read(&digest, 6), None);
        cache.keep(&digest, b"module");
        assert!(cache.read(&digest, 6).is_some());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_no_cache() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let cache = Cache::new(&folder.path().join("file"));
        cache.keep(&Digest::of(b""), b"");
        assert_eq!(cache.read(&Digest::of(b""), 0), None);
    }
}
