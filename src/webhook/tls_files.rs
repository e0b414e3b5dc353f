//! `--tls-cert` and `--tls-key`: a certificate in files, which another program renews.
//!
//! The files are polled: file events are not reliable for a mounted Secret, which changes
//! through symbolic links.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::blocking::poll_repeatedly;
use super::certificate::{self, Certificate, CertificateAndKey, date};
use crate::input::{SizeLimit, read_limited};

/// How often the files are read.
pub const POLL: Duration = Duration::from_secs(5);

/// The limit of a file.
const LIMIT: SizeLimit = SizeLimit { bytes: 1 << 20, help: "" };

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}: {}", path.display(), source)]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A file has unusable contents.
    #[error("cannot use {}: {source}", path.display())]
    Content {
        /// The file; the key file if chain and key do not match.
        path: PathBuf,
        /// What is wrong with it.
        source: certificate::Error,
    },
}

/// The two files, and the serving certificate that is loaded from them.
pub struct TlsFiles {
    chain: PathBuf,
    key: PathBuf,
    certificate: Arc<Certificate>,
    last: Option<Contents>,
}

/// The result of the last read. A failure is reported once for the same contents.
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
        files.log_certificate();
        Ok(files)
    }

    /// Polls the files, and replaces the certificate when they change. Unusable contents leave the certificate
    /// unchanged.
    pub async fn watch(self, interval: Duration) {
        poll_repeatedly(self, interval, TlsFiles::poll_and_log).await;
        tracing::error!("the certificate files are no longer watched");
    }

    fn poll_and_log(&mut self) {
        match self.poll() {
            Ok(false) => {}
            Ok(true) => self.log_certificate(),
            Err(error) => {
                self.certificate.count_failure();
                tracing::warn!(%error, "cannot load the certificate files; keeping the previous certificate");
            }
        }
    }

    fn log_certificate(&self) {
        if let Some(not_after) = self.certificate.not_after() {
            tracing::info!(file = %self.chain.display(), not_after = %date(not_after), "loaded a serving certificate");
        }
    }

    /// Reads the files, and returns whether they had a new certificate. The same contents are an error only once.
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
        let pair = CertificateAndKey::from_pem(&chain, &key).map_err(|source| self.content_error(source))?;
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
        let path = match source {
            certificate::Error::ChainNotPem | certificate::Error::NoCertificate | certificate::Error::Certificate => {
                &self.chain
            }
            certificate::Error::KeyNotPem | certificate::Error::Key | certificate::Error::Mismatch => &self.key,
        };
        Error::Content { path: path.clone(), source }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_limited(LIMIT, path).map_err(|source| Error::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::certificate::tests::self_signed;
    use super::*;

    struct Directory {
        directory: tempfile::TempDir,
        certificate: Arc<Certificate>,
    }

    impl Directory {
        fn with((chain, key): &(String, String)) -> Self {
            let directory = Directory { directory: tempfile::tempdir().unwrap(), certificate: Certificate::new() };
            directory.write("tls.crt", chain);
            directory.write("tls.key", key);
            directory
        }

        fn write(&self, name: &str, content: &str) {
            fs::write(self.directory.path().join(name), content).unwrap();
        }

        fn load(&self) -> Result<TlsFiles, Error> {
            let path = |name| self.directory.path().join(name);
            TlsFiles::load(path("tls.crt"), path("tls.key"), Arc::clone(&self.certificate))
        }
    }

    #[test]
    fn startup_errors_name_the_file() {
        let directory = Directory::with(&self_signed("sql"));
        directory.write("tls.key", &self_signed("sql").1);
        let path = |name: &str| directory.directory.path().join(name).display().to_string();
        let text = || directory.load().err().unwrap().to_string();
        let mismatch = "the private key does not match the certificate";
        assert_eq!(text(), format!("cannot use {}: {mismatch}", path("tls.key")));
        directory.write("tls.crt", "");
        assert_eq!(text(), format!("cannot use {}: no certificate found", path("tls.crt")));
        directory.write("tls.crt", &"#".repeat((1 << 20) + 1));
        assert!(text().ends_with("the file is larger than the limit of 1 MiB"), "{}", text());
        fs::remove_file(path("tls.crt")).unwrap();
        assert!(text().starts_with(&format!("cannot read {}: no such file", path("tls.crt"))));
        assert!(directory.certificate.current().is_none());
    }

    #[test]
    fn a_new_certificate_is_loaded_once_both_files_match() {
        let (first, second) = (self_signed("sql"), self_signed("sql"));
        let directory = Directory::with(&first);
        let mut files = directory.load().unwrap();
        assert!(!files.poll().unwrap());
        let before = directory.certificate.current().unwrap().chain().to_vec();

        directory.write("tls.crt", second.0.split_at(second.0.len() / 2).0);
        assert!(files.poll().is_err());
        directory.write("tls.crt", &second.0);
        assert!(files.poll().is_err());
        assert!(!files.poll().unwrap(), "the same failure is reported once");
        assert_eq!(directory.certificate.current().unwrap().chain(), before);

        directory.write("tls.key", &second.1);
        assert!(files.poll().unwrap());
        assert_ne!(directory.certificate.current().unwrap().chain(), before);
        assert_eq!(directory.certificate.replacements(), 1);
    }

    #[test]
    fn a_mounted_secret_that_changes_its_links_is_loaded() {
        use std::os::unix::fs::symlink;
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        for (version, (chain, key)) in [("1", self_signed("sql")), ("2", self_signed("sql"))] {
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
    async fn missing_files_keep_the_certificate_and_count_as_one_failure() {
        let directory = Directory::with(&self_signed("sql"));
        let files = directory.load().unwrap();
        fs::remove_file(directory.directory.path().join("tls.key")).unwrap();
        let watching = tokio::spawn(files.watch(Duration::from_millis(1)));
        while directory.certificate.failures() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        watching.abort();
        assert!(directory.certificate.current().is_some());
        assert_eq!(directory.certificate.failures(), 1);
    }
}
