//! `--tls-cert` and `--tls-key`: a certificate that somebody else renews, as files.
//!
//! A Secret that is mounted as a volume changes through symbolic links, of which file events tell nothing dependable:
//! the contents are compared instead.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::certificate::{self, Certificate, Pair};
use crate::message::describe_io_error;

/// How often the files are compared with what is presented.
pub const POLL: Duration = Duration::from_secs(5);

/// More than any chain of certificates takes.
const MAXIMUM_BYTES: u64 = 1 << 20;

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}: {}", path.display(), describe_io_error(source))]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What the files hold cannot be presented.
    #[error("cannot use {}: {source}", path.display())]
    Content {
        /// The file that is at fault, as far as one can tell.
        path: PathBuf,
        /// What is wrong.
        source: certificate::Error,
    },
}

/// The two files, and the certificate that follows them.
pub struct TlsFiles {
    chain: PathBuf,
    key: PathBuf,
    certificate: Arc<Certificate>,
    last: Option<Contents>,
}

/// The two files as they were last seen, readable or not: a failure is told once for each state of the files.
#[derive(PartialEq, Eq)]
enum Contents {
    Read { chain: Vec<u8>, key: Vec<u8> },
    Unreadable(String),
}

impl TlsFiles {
    /// Reads the two files into `certificate`.
    ///
    /// # Errors
    /// [`Error`], which names the file.
    pub fn load(chain: PathBuf, key: PathBuf, certificate: Arc<Certificate>) -> Result<Self, Error> {
        let mut files = TlsFiles { chain, key, certificate, last: None };
        files.poll()?;
        Ok(files)
    }

    /// Follows the files, for ever. What cannot be used leaves the certificate as it is, and is tried again.
    pub async fn follow(mut self, poll: Duration) {
        loop {
            tokio::time::sleep(poll).await;
            // File systems can hang.
            let polled = tokio::task::spawn_blocking(move || {
                self.poll_and_tell();
                self
            });
            match polled.await {
                Ok(files) => self = files,
                Err(_) => return tracing::error!("the certificate's files are not followed any more"),
            }
        }
    }

    fn poll_and_tell(&mut self) {
        match self.poll() {
            Ok(false) => {}
            Ok(true) => tracing::info!(file = %self.chain.display(), "presenting another certificate"),
            Err(error) => {
                self.certificate.count_failure();
                tracing::warn!(%error, "keeping the certificate there is");
            }
        }
    }

    /// Looks at the files; whether they brought another certificate. The same contents bring the same error only once.
    fn poll(&mut self) -> Result<bool, Error> {
        let outcome = self.read();
        let contents = match &outcome {
            Ok((chain, key)) => Contents::Read { chain: chain.clone(), key: key.clone() },
            Err(error) => Contents::Unreadable(error.to_string()),
        };
        if self.last.as_ref() == Some(&contents) {
            return Ok(false);
        }
        self.last = Some(contents);
        let (chain, key) = outcome?;
        let pair = Pair::from_pem(&chain, &key).map_err(|source| self.content_error(source))?;
        let differs = self.certificate.current().is_none_or(|current| current.chain() != pair.chain());
        if differs {
            self.certificate.replace(pair);
        }
        Ok(differs)
    }

    fn read(&self) -> Result<(Vec<u8>, Vec<u8>), Error> {
        Ok((read(&self.chain)?, read(&self.key)?))
    }

    fn content_error(&self, source: certificate::Error) -> Error {
        use certificate::Error as Fault;
        let path = match source {
            Fault::ChainNotPem | Fault::NoCertificate | Fault::Certificate => &self.chain,
            Fault::KeyNotPem | Fault::Key | Fault::Mismatch => &self.key,
        };
        Error::Content { path: path.clone(), source }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAXIMUM_BYTES).read_to_end(&mut content));
    read.map_err(|source| Error::File { path: path.to_owned(), source })?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::certificate::tests::signed_by_itself;
    use super::*;

    struct Folder {
        folder: tempfile::TempDir,
        certificate: Arc<Certificate>,
    }

    impl Folder {
        fn with((chain, key): &(String, String)) -> Self {
            let folder = Folder { folder: tempfile::tempdir().unwrap(), certificate: Certificate::new() };
            folder.write("tls.crt", chain);
            folder.write("tls.key", key);
            folder
        }

        fn write(&self, name: &str, content: &str) {
            fs::write(self.folder.path().join(name), content).unwrap();
        }

        fn load(&self) -> Result<TlsFiles, Error> {
            let path = |name| self.folder.path().join(name);
            TlsFiles::load(path("tls.crt"), path("tls.key"), Arc::clone(&self.certificate))
        }
    }

    #[test]
    fn what_is_wrong_at_the_start_is_told_with_the_name_of_the_file() {
        let folder = Folder::with(&signed_by_itself("sql"));
        folder.write("tls.key", &signed_by_itself("sql").1);
        let path = |name: &str| folder.folder.path().join(name).display().to_string();
        let text = || folder.load().err().unwrap().to_string();
        let mismatch = "the private key does not belong to the certificate";
        assert_eq!(text(), format!("cannot use {}: {mismatch}", path("tls.key")));
        folder.write("tls.crt", "");
        assert_eq!(text(), format!("cannot use {}: there is no certificate", path("tls.crt")));
        fs::remove_file(path("tls.crt")).unwrap();
        assert!(text().starts_with(&format!("cannot read {}: no such file", path("tls.crt"))));
        assert!(!folder.certificate.is_loaded());
    }

    #[test]
    fn a_renewal_is_taken_over_once_both_files_fit() {
        let (first, second) = (signed_by_itself("sql"), signed_by_itself("sql"));
        let folder = Folder::with(&first);
        let mut files = folder.load().unwrap();
        assert!(!files.poll().unwrap());
        let before = folder.certificate.current().unwrap().chain().to_vec();

        folder.write("tls.crt", second.0.split_at(second.0.len() / 2).0);
        assert!(files.poll().is_err());
        folder.write("tls.crt", &second.0);
        assert!(files.poll().is_err());
        assert!(!files.poll().unwrap(), "the same failure is told once");
        assert_eq!(folder.certificate.current().unwrap().chain(), before);

        folder.write("tls.key", &second.1);
        assert!(files.poll().unwrap());
        assert_ne!(folder.certificate.current().unwrap().chain(), before);
        assert_eq!(folder.certificate.replacements(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_volume_that_moves_its_links_is_followed() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for (version, (chain, key)) in [("1", signed_by_itself("sql")), ("2", signed_by_itself("sql"))] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("tls.crt"), chain).unwrap();
            fs::write(at(version).join("tls.key"), key).unwrap();
        }
        symlink("1", at("..data")).unwrap();
        symlink("..data/tls.crt", at("tls.crt")).unwrap();
        symlink("..data/tls.key", at("tls.key")).unwrap();
        let certificate = Certificate::new();
        let mut files = TlsFiles::load(at("tls.crt"), at("tls.key"), Arc::clone(&certificate)).unwrap();
        symlink("2", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        assert!(files.poll().unwrap());
        assert_eq!(certificate.replacements(), 1);
    }

    #[tokio::test]
    async fn files_that_vanish_leave_the_certificate_and_count_as_one_failure() {
        let folder = Folder::with(&signed_by_itself("sql"));
        let files = folder.load().unwrap();
        fs::remove_file(folder.folder.path().join("tls.key")).unwrap();
        let following = tokio::spawn(files.follow(Duration::from_millis(1)));
        while folder.certificate.failures() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        following.abort();
        assert!(folder.certificate.is_loaded());
        assert_eq!(folder.certificate.failures(), 1);
    }
}
