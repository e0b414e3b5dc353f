//! What was pulled before: a folder of files, each named by the digest of its content.

use std::cmp::Reverse;
use std::env;
use std::fs::{self, DirEntry, File};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::artifact::{self, LONGEST_MANIFEST};
use super::digest::Digest;
use crate::atomic_write::atomic_write;

/// A folder that may hold what a registry would send. Whatever goes wrong with it is only logged: the registry has
/// everything.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

/// What the name of a file begins with. The digits of the digest follow.
const PREFIX: &str = "sha256-";

/// A file of a cache.
struct Kept {
    digest: Digest,
    length: u64,
    /// When it last turned out to work.
    used: SystemTime,
    /// When it came here, if it has not been used yet.
    came: SystemTime,
}

/// When what has never turned out to work was used.
const NEVER: SystemTime = SystemTime::UNIX_EPOCH;

/// How long another process may take from the first file that it keeps until its module has turned out to work.
const START: Duration = Duration::from_secs(600);

impl Kept {
    /// `None` for anything that no cache has put there.
    fn of(entry: &DirEntry) -> Option<Self> {
        let name = entry.file_name();
        let digest = format!("sha256:{}", name.to_str()?.strip_prefix(PREFIX)?).parse().ok()?;
        let about = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        let since_epoch = Duration::from_secs(about.ctime().try_into().unwrap_or(0));
        let came = SystemTime::UNIX_EPOCH.checked_add(since_epoch).unwrap_or(SystemTime::UNIX_EPOCH);
        Some(Kept { digest, length: about.len(), used: about.modified().unwrap_or(NEVER), came })
    }

    /// Whether another process may be about to use it for the first time.
    fn may_be_starting(&self) -> bool {
        self.used == NEVER && self.came.elapsed().unwrap_or_default() < START
    }
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

    /// Keeps what the digest names, as a whole or not at all. It counts as used once [`Cache::tidy`] is told so: what was
    /// just pulled may not work.
    pub(super) fn keep(&self, digest: &Digest, content: &[u8]) {
        let path = self.path(digest);
        let used = fs::metadata(&path).and_then(|about| about.modified()).unwrap_or(NEVER);
        let kept = fs::create_dir_all(&self.folder).and_then(|()| {
            atomic_write(&path, |file| {
                file.write_all(content)?;
                // Where files have no such time it is the wrong one that goes, at worst.
                let _ = file.set_modified(used);
                Ok(())
            })
        });
        if let Err(error) = kept {
            tracing::warn!(path = %path.display(), %error, "what was pulled is not kept for the next start");
        }
    }

    /// Takes out what is not needed any more once the policy whose manifest is named has turned out to work: all but
    /// this one and the one that was used before it, which somebody may go back to. One that never worked is the one
    /// before only if there is no other. Only files that are called as this cache calls them are taken out.
    ///
    /// Other processes may use the same folder: what they have only just pulled stays, what is missed is pulled again, and
    /// what is open stays readable.
    pub fn tidy(&self, manifest: &Digest) {
        let Some(present) = self.policy(manifest) else { return };
        present.iter().for_each(|digest| self.mark_as_used(digest));
        let mut others = self.files();
        others.retain(|file| !present.contains(&file.digest));
        others.sort_by_key(|file| Reverse(file.used));
        let manifests = others.iter().filter(|file| file.length <= LONGEST_MANIFEST);
        let mut policies = manifests.filter_map(|file| self.policy(&file.digest));
        // A manifest alone is nothing to go back to.
        let before = policies.find(|[_, module]| self.path(module).is_file());
        let is_of_before = |file: &&Kept| before.iter().flatten().any(|digest| *digest == file.digest);
        let stale = others.iter().filter(|file| !is_of_before(file) && !file.may_be_starting());
        let removed = stale.filter(|file| fs::remove_file(self.path(&file.digest)).is_ok()).count();
        if removed > 0 {
            tracing::info!(folder = %self.folder.display(), files = removed, "older modules are no longer kept");
        }
    }

    /// What a policy consists of: its manifest, if that is here, and the module that it names.
    fn policy(&self, manifest: &Digest) -> Option<[Digest; 2]> {
        let layer = artifact::layer(&self.read(manifest, LONGEST_MANIFEST)?).ok()?;
        Some([manifest.clone(), layer.digest])
    }

    fn mark_as_used(&self, digest: &Digest) {
        let _ = File::open(self.path(digest)).and_then(|file| file.set_modified(SystemTime::now()));
    }

    fn files(&self) -> Vec<Kept> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten();
        entries.filter_map(|entry| Kept::of(&entry.ok()?)).collect()
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{PREFIX}{}", digest.hex()))
    }
}

#[cfg(test)]
mod tests {
    use oci_client::manifest::WASM_LAYER_MEDIA_TYPE;
    use serde_json::json;

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

    /// Keeps a policy as one that was just pulled; gives the digests of its manifest and its module.
    fn pull(cache: &Cache, title: &str, module: &[u8]) -> [Digest; 2] {
        let config = json!({"mediaType": "x", "digest": "x", "size": 2});
        let layer = json!({"mediaType": WASM_LAYER_MEDIA_TYPE, "digest": Digest::of(module).to_string(),
            "size": module.len()});
        let manifest =
            json!({"schemaVersion": 2, "config": config, "layers": [layer], "annotations": {"title": title}});
        let manifest = manifest.to_string();
        let digests = [Digest::of(manifest.as_bytes()), Digest::of(module)];
        for (digest, content) in digests.iter().zip([manifest.as_bytes(), module]) {
            cache.keep(digest, content);
        }
        digests
    }

    /// Keeps a policy that was used some minutes ago; gives the paths of its manifest and its module, and the digest of
    /// the manifest.
    fn keep(cache: &Cache, title: &str, module: &[u8], minutes: u64) -> ([PathBuf; 2], Digest) {
        let digests = pull(cache, title, module);
        let used = SystemTime::now() - Duration::from_secs(60 * minutes);
        for digest in &digests {
            File::open(cache.path(digest)).unwrap().set_modified(used).unwrap();
        }
        (digests.clone().map(|digest| cache.path(&digest)), digests[0].clone())
    }

    fn are_there(paths: &[PathBuf]) -> Vec<bool> {
        paths.iter().map(|path| path.exists()).collect()
    }

    #[test]
    fn the_policy_in_use_and_the_one_before_stay() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let (oldest, _) = keep(&cache, "", b"oldest", 30);
        // What somebody has gone back to is older than it looks, and was used before the others.
        let (present, manifest) = keep(&cache, "", b"present", 20);
        let (before, _) = keep(&cache, "", b"before", 5);
        let (older, _) = keep(&cache, "", b"older", 10);
        cache.tidy(&manifest);
        let paths = [present.clone(), before.clone(), older, oldest].concat();
        assert_eq!(are_there(&paths), [true, true, true, true, false, false, false, false]);
        // The next one comes after that which is in use now.
        let (next, manifest) = keep(&cache, "", b"next", 0);
        cache.tidy(&manifest);
        assert_eq!(are_there(&[next, present, before].concat()), [true, true, true, true, false, false]);
    }

    #[test]
    fn what_has_never_worked_does_not_stand_in_for_what_has() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let (oldest, _) = keep(&cache, "", b"oldest", 20);
        let (before, _) = keep(&cache, "", b"before", 10);
        // Pulled and refused.
        pull(&cache, "", b"refused");
        let present = pull(&cache, "", b"present");
        cache.tidy(&present[0]);
        let present = present.map(|digest| cache.path(&digest));
        let paths = [present, before, oldest].concat();
        assert_eq!(are_there(&paths), [true, true, true, true, false, false]);
    }

    #[test]
    fn a_manifest_without_its_module_is_not_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let (older, _) = keep(&cache, "", b"older", 20);
        let (half, _) = keep(&cache, "", b"half", 10);
        fs::remove_file(&half[1]).unwrap();
        let (present, manifest) = keep(&cache, "", b"present", 0);
        cache.tidy(&manifest);
        assert_eq!(are_there(&[present, older, half].concat()), [true, true, true, true, false, false]);
    }

    #[test]
    fn what_another_process_has_just_pulled_stays() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let (older, _) = keep(&cache, "", b"older", 20);
        let (before, _) = keep(&cache, "", b"before", 10);
        let whole = pull(&cache, "", b"whole").map(|digest| cache.path(&digest));
        // Its manifest comes next.
        let half = pull(&cache, "", b"half").map(|digest| cache.path(&digest));
        fs::remove_file(&half[0]).unwrap();
        let (_, manifest) = keep(&cache, "", b"present", 0);
        cache.tidy(&manifest);
        assert_eq!(are_there(&[before, whole, older].concat()), [true, true, true, true, false, false]);
        assert_eq!(are_there(&half), [false, true]);
    }

    #[test]
    fn a_start_does_not_take_for_ever() {
        let now = SystemTime::now();
        let starts = |used, came| Kept { digest: Digest::of(b""), length: 0, used, came }.may_be_starting();
        assert!(starts(NEVER, now));
        assert!(!starts(NEVER, now - START));
        // The clock was set back.
        assert!(starts(NEVER, now + START));
        assert!(!starts(now, now));
    }

    #[test]
    fn what_is_pulled_has_not_worked_yet_and_what_is_pulled_again_has() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let used = |digest: &Digest| fs::metadata(cache.path(digest)).unwrap().modified().unwrap();
        let policy = pull(&cache, "", b"module");
        assert_eq!(policy.each_ref().map(used), [NEVER; 2]);
        cache.tidy(&policy[0]);
        let times = policy.each_ref().map(used);
        assert!(times.iter().all(|used| *used > NEVER), "{times:?}");
        assert_eq!(pull(&cache, "", b"module").each_ref().map(used), times);
    }

    #[test]
    fn a_module_stays_for_as_long_as_one_of_its_manifests() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let (oldest, _) = keep(&cache, "1", b"module", 30);
        let (before, _) = keep(&cache, "2", b"module", 20);
        let (present, manifest) = keep(&cache, "3", b"another", 10);
        cache.tidy(&manifest);
        assert_eq!(are_there(&[present, before].concat()), [true; 4]);
        assert_eq!(are_there(&oldest), [false, true]);
    }

    #[test]
    fn what_is_of_somebody_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let (_, manifest) = keep(&cache, "", b"present", 0);
        let hex = "0".repeat(64);
        let files = ["notes".to_owned(), ".tmpAbCdEf".to_owned(), hex.clone(), format!("sha256-{hex}.txt")];
        let files = files.map(|name| folder.path().join(name));
        files.iter().for_each(|path| fs::write(path, "").unwrap());
        let links = folder.path().join(format!("sha256-{}", "1".repeat(64)));
        std::os::unix::fs::symlink(&files[0], &links).unwrap();
        let directory = folder.path().join(format!("sha256-{hex}"));
        fs::create_dir(&directory).unwrap();
        cache.tidy(&manifest);
        assert_eq!(are_there(&[&files[..], &[links, directory]].concat()), [true; 6]);
    }

    #[test]
    fn nothing_is_taken_out_for_a_policy_that_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let (kept, _) = keep(&cache, "", b"kept", 10);
        cache.tidy(&Digest::of(b"manifest"));
        assert_eq!(are_there(&kept), [true; 2]);
    }
}
