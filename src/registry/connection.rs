//! Requests to one repository of a registry.

use oci_client::RegistryOperation;
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
};
use oci_client::secrets::RegistryAuth;
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Response, StatusCode};

use super::artifact::{Artifact, CONFIG, Layer, MAX_MANIFEST_BYTES};
use super::client_options::ClientOptions;
use super::credentials::{self, Credentials};
use super::digest::Digest;
use super::error::RegistryError;
use super::reference::ArtifactReference;

/// An authenticated connection.
pub(super) struct Connection<'a> {
    reference: &'a ArtifactReference,
    options: &'a ClientOptions,
    credentials: Credentials,
    /// The bearer token for all requests, if the registry issues tokens.
    token: Option<String>,
    oci: oci_client::Client,
    http: reqwest::Client,
}

/// The types of manifest to accept. Indexes are requested as well, to report that they are not policies.
const MANIFESTS: [&str; 4] =
    [OCI_IMAGE_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE];

/// Maximum number of bytes that are read of an error response.
const MAX_ERROR_BYTES: u64 = 64 << 10;

impl<'a> Connection<'a> {
    /// Authenticates for an operation on the repository of a reference.
    pub(super) async fn open(
        reference: &'a ArtifactReference,
        options: &'a ClientOptions,
        operation: RegistryOperation,
    ) -> Result<Self, RegistryError> {
        let credentials = credentials::find(reference)?;
        let (oci, http) = (options.oci_client()?, options.http_client()?);
        let mut connection = Connection { reference, options, credentials, token: None, oci, http };
        let token = connection.oci.auth(reference.oci(), &connection.credentials.auth, operation).await;
        connection.token = token.map_err(|error| connection.library_error(error))?;
        Ok(connection)
    }

    /// The manifest with the digest or the tag of the reference, and its digest, which is checked.
    pub(super) async fn manifest(&self) -> Result<(Vec<u8>, Digest), RegistryError> {
        let digest = self.reference.digest();
        let name = digest.map(Digest::to_string).or(self.reference.tag().map(str::to_owned)).unwrap_or_default();
        let response = self.get(&format!("manifests/{name}"), &MANIFESTS.join(", ")).await?;
        let announced = announced_digest(&response);
        let manifest = self.read_body(response, "manifest", MAX_MANIFEST_BYTES).await?;
        let actual = Digest::from_content(&manifest);
        for expected in digest.into_iter().chain(announced.as_ref()) {
            check_digest("manifest", expected, &actual)?;
        }
        Ok((manifest, actual))
    }

    /// The content of a layer, whose digest is checked.
    pub(super) async fn module(&self, layer: &Layer) -> Result<Vec<u8>, RegistryError> {
        let response = self.get(&format!("blobs/{}", layer.digest), "*/*").await?;
        let module = self.read_body(response, "module", layer.size).await?;
        check_digest("module", &layer.digest, &Digest::from_content(&module))?;
        Ok(module)
    }

    /// The response for another path of the repository; `None` if it does not exist.
    pub(super) async fn optional(&self, path: &str) -> Result<Option<Vec<u8>>, RegistryError> {
        match self.get(path, &MANIFESTS.join(", ")).await {
            Ok(response) => self.read_body(response, "response", MAX_MANIFEST_BYTES).await.map(Some),
            Err(RegistryError::NotFound(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Uploads an artifact, its manifest last: a tag never names an incomplete artifact.
    pub(super) async fn write(&self, artifact: &Artifact<'_>) -> Result<(), RegistryError> {
        let reference = self.reference.oci();
        for blob in [artifact.module, CONFIG] {
            let pushed = self.oci.push_blob(reference, blob.to_vec(), &Digest::from_content(blob).to_string()).await;
            pushed.map_err(|error| self.library_error(error))?;
        }
        let media_type = HeaderValue::from_static(OCI_IMAGE_MEDIA_TYPE);
        let pushed = self.oci.push_manifest_raw(reference, artifact.manifest.clone(), media_type).await;
        pushed.map(|_| ()).map_err(|error| self.library_error(error))
    }

    async fn get(&self, path: &str, accept: &str) -> Result<Response, RegistryError> {
        let (scheme, host) = (self.options.scheme(), self.reference.host());
        let url = format!("{scheme}://{host}/v2/{}/{path}", self.reference.repository());
        let request = self.http.get(url).header(ACCEPT, accept);
        let request = match (&self.token, &self.credentials.auth) {
            (Some(token), _) => request.bearer_auth(token),
            (None, RegistryAuth::Basic(user, password)) => request.basic_auth(user, Some(password)),
            (None, _) => request,
        };
        let response = request.send().await.map_err(|error| self.transport_error(&error))?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let code = response.status().as_u16();
        let error_body = self.read_body(response, "response", MAX_ERROR_BYTES).await.unwrap_or_default();
        Err(self.status_error(code, &error_body))
    }

    /// Reads a response of at most `limit` bytes.
    async fn read_body(
        &self,
        mut response: Response,
        subject: &'static str,
        limit: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let mut content = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport_error(&error))? {
            if content.len() as u64 + chunk.len() as u64 > limit {
                return Err(RegistryError::TooLarge { subject, limit });
            }
            content.extend_from_slice(&chunk);
        }
        Ok(content)
    }

    fn transport_error(&self, error: &reqwest::Error) -> RegistryError {
        RegistryError::from_transport(error, self.options.timeout())
    }

    fn status_error(&self, code: u16, body: &[u8]) -> RegistryError {
        RegistryError::from_status(code, body, self.credentials.source.as_deref())
    }

    fn library_error(&self, error: OciDistributionError) -> RegistryError {
        match error {
            OciDistributionError::RequestError(error) => self.transport_error(&error),
            OciDistributionError::ServerError { code, message, .. } => self.status_error(code, message.as_bytes()),
            // The text of these errors may quote the password.
            OciDistributionError::AuthenticationFailure(_) | OciDistributionError::UnauthorizedError { .. } => {
                self.status_error(StatusCode::UNAUTHORIZED.as_u16(), &[])
            }
            OciDistributionError::RegistryTokenDecodeError(_) => {
                RegistryError::Protocol("the response contains no token".to_owned())
            }
            other => RegistryError::Protocol(other.to_string()),
        }
    }
}

/// The digest in the headers of a response.
fn announced_digest(response: &Response) -> Option<Digest> {
    response.headers().get("docker-content-digest")?.to_str().ok()?.parse().ok()
}

pub(super) fn check_digest(subject: &'static str, expected: &Digest, actual: &Digest) -> Result<(), RegistryError> {
    if expected == actual {
        return Ok(());
    }
    Err(RegistryError::DigestMismatch { subject, expected: expected.clone(), actual: actual.clone() })
}
