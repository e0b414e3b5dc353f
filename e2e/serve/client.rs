//! A client for HTTP/1.1 over TLS that can send single bytes.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

/// A self-signed certificate for the webhook, which clients trust.
#[derive(Clone)]
pub(crate) struct Authority {
    chain: String,
    key: String,
    trusted: CertificateDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let names = ["webhook.test", "127.0.0.1"].map(str::to_owned);
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        Authority { chain: cert.pem(), key: signing_key.serialize_pem(), trusted: cert.der().clone() }
    }

    /// One whose certificate is valid only from 2020 to 2021.
    pub(crate) fn expired() -> Self {
        let mut params = CertificateParams::new(["webhook.test".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority { chain: certificate.pem(), key: key.serialize_pem(), trusted: certificate.der().clone() }
    }

    /// Writes the certificate and its key to `tls.crt` and `tls.key`.
    pub(crate) fn write(&self, folder: &Path) {
        fs::write(folder.join("tls.crt"), &self.chain).unwrap();
        fs::write(folder.join("tls.key"), &self.key).unwrap();
    }

    /// The certificate that clients trust, as PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.chain
    }

    /// The key of the certificate, as PEM.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// A client configuration that trusts only these certificates.
    pub(crate) fn client_config(authorities: &[&Authority], protocol: &str) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        authorities.iter().for_each(|authority| roots.add(authority.trusted.clone()).unwrap());
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Arc::new(config)
    }
}

/// A connection.
pub(crate) struct Client(BufReader<StreamOwned<ClientConnection, TcpStream>>);

/// An answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The `response` of the AdmissionReview.
    pub(crate) fn response(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        let mut review: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(
            (&review["apiVersion"], &review["kind"]),
            (&json!("admission.k8s.io/v1"), &json!("AdmissionReview"))
        );
        review["response"].take()
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, authority: &Authority) -> io::Result<Self> {
        Client::connect_with(address, Authority::client_config(&[authority], "http/1.1"))
    }

    pub(crate) fn connect_with(address: SocketAddr, config: Arc<ClientConfig>) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let name = ServerName::try_from("webhook.test").unwrap();
        let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        stream.flush()?;
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Client(BufReader::new(stream)))
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)?;
        self.0.get_mut().flush()
    }

    /// Sends a POST request with JSON.
    pub(crate) fn post(&mut self, path: &str, body: &str) -> io::Result<Answer> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: webhook.test\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.send(&[head.as_bytes(), body.as_bytes()].concat())?;
        self.receive()
    }

    /// Waits until the webhook closes the connection.
    pub(crate) fn wait_for_end(&mut self) {
        let end = self.0.read_to_end(&mut Vec::new());
        let timeouts = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
        assert!(!end.is_err_and(|error| timeouts.contains(&error.kind())), "the connection is still open");
    }

    /// Reads an HTTP/2 frame: type, flags, payload. `None` at the end of the connection.
    pub(crate) fn receive_frame(&mut self) -> io::Result<Option<(u8, u8, Vec<u8>)>> {
        let mut head = [0; 9];
        match self.0.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.0.read_exact(&mut payload)?;
        Ok(Some((head[3], head[4], payload)))
    }

    /// Reads an answer.
    pub(crate) fn receive(&mut self) -> io::Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let length = head.to_ascii_lowercase();
        let length = length.split_once("content-length: ").map_or("0", |(_, rest)| rest.split("\r\n").next().unwrap());
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body)?;
        let status = head[9..12].parse().unwrap();
        Ok(Answer { status, head, body: String::from_utf8(body).unwrap() })
    }
}
