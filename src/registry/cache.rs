//! The cache of pulled files: a directory of files, each named by the digest of its content.

use std::env;
use std::fs::{self, DirEntry, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::digest::Digest;
use crate::atomic_write::atomic_write;

/// A directory of pulled files. Its errors are logged only: everything in it can be pulled again.
#[derive(Clone, Debug)]
pub struct Cache {
    directory: PathBuf,
}

/// File names are this prefix and the hexadecimal digits of the digest.
const PREFIX: &str = "sha256-";

impl Cache {
    /// The cache in a directory, which is created when needed.
    pub fn new(directory: &Path) -> Self {
        Cache { directory: directory.to_owned() }
    }

    /// The cache in the user's cache directory; `None` if the user has no home directory.
    pub fn for_user() -> Option<Self> {
        let configured = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(".cache"));
        configured.or_else(home).map(|caches| Cache { directory: caches.join(env!("CARGO_PKG_NAME")) })
    }

    /// Reads the file with a digest if it has at most `limit` bytes. The content is hashed again, because other
    /// programs can write to the directory.
    pub(super) fn read(&self, digest: &Digest, limit: u64) -> Option<Vec<u8>> {
        let path = self.path(digest);
        let mut content = Vec::new();
        File::open(&path).ok()?.take(limit).read_to_end(&mut content).ok()?;
        if Digest::from_content(&content) == *digest {
            return Some(content);
        }
        tracing::warn!(path = %path.display(), "a cached file does not match its digest and is not used");
        None
    }

    /// Writes the file with a digest, completely or not at all.
    pub(super) fn store(&self, digest: &Digest, content: &[u8]) {
        let path = self.path(digest);
        let stored =
            fs::create_dir_all(&self.directory).and_then(|()| atomic_write(&path, |file| file.write_all(content)));
        if let Err(error) = stored {
            tracing::warn!(path = %path.display(), %error, "cannot cache a pulled file; the next start pulls it again");
        }
    }

    /// Removes all files of the cache but those with these digests. Other processes that share the directory pull their
    /// module again.
    pub fn remove_unused(&self, used: &[Digest]) {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let unused = entries.filter(|entry| cached_digest(entry).is_some_and(|digest| !used.contains(&digest)));
        let removed = unused.filter(|entry| fs::remove_file(entry.path()).is_ok()).count();
        if removed > 0 {
            tracing::info!(directory = %self.directory.display(), files = removed, "removed unused files from the cache");
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join(format!("{PREFIX}{}", digest.hex()))
    }
}

/// The digest in the name of a cached file; `None` for anything else in the directory.
fn cached_digest(entry: &DirEntry) -> Option<Digest> {
    let name = entry.file_name();
    let digest = format!("sha256:{}", name.to_str()?.strip_prefix(PREFIX)?).parse().ok()?;
    entry.metadata().ok().filter(fs::Metadata::is_file).map(|_| digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_files_are_read_and_changed_files_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(&directory.path().join("not/yet"));
        let digest = Digest::from_content(b"module");
        assert_eq!(cache.read(&digest, 6), None);
        cache.store(&digest, b"module");
        assert_eq!(cache.read(&digest, 6).as_deref(), Some(&b"module"[..]));
        assert_eq!(cache.read(&digest, 5), None);
        fs::write(cache.path(&digest), "modulo").unwrap();
        assert_eq!(cache.read(&digest, 6), None);
        cache.store(&digest, b"module");
        assert!(cache.read(&digest, 6).is_some());
    }

    #[test]
    fn a_directory_that_cannot_be_created_is_an_empty_cache() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), "").unwrap();
        let cache = Cache::new(&directory.path().join("file"));
        let digest = Digest::from_content(b"");
        cache.store(&digest, b"");
        assert_eq!(cache.read(&digest, 0), None);
        cache.remove_unused(&[]);
    }

    #[test]
    fn only_unused_files_of_the_cache_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path());
        let [used, unused] = [b"used".as_slice(), b"unused"].map(|content| {
            let digest = Digest::from_content(content);
            cache.store(&digest, content);
            digest
        });
        let hex = "0".repeat(64);
        let foreign = ["notes".to_owned(), ".tmpAbCdEf".to_owned(), hex.clone(), format!("sha256-{hex}.txt")];
        let mut foreign = foreign.map(|name| directory.path().join(name)).to_vec();
        foreign.iter().for_each(|path| fs::write(path, "").unwrap());
        let link = directory.path().join(format!("sha256-{}", "1".repeat(64)));
        std::os::unix::fs::symlink(&foreign[0], &link).unwrap();
        let folder = directory.path().join(format!("sha256-{hex}"));
        fs::create_dir(&folder).unwrap();
        foreign.extend([link, folder]);

        cache.remove_unused(std::slice::from_ref(&used));
        assert!(cache.path(&used).exists() && !cache.path(&unused).exists());
        assert!(foreign.iter().all(|path| path.exists()), "{foreign:?}");
    }
}
