//! One repository of a registry: what is read from it, and what is written to it.

use oci_client::RegistryOperation;
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
};
use oci_client::secrets::RegistryAuth;
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Response, StatusCode};

use super::access::Access;
use super::artifact::{Artifact, CONFIG, LONGEST_MANIFEST, Layer};
use super::credentials::{self, Credentials};
use super::digest::Digest;
use super::place::Place;
use super::problem::Problem;

/// A registry that has said hello.
pub(super) struct Connection<'a> {
    place: &'a Place,
    access: &'a Access,
    credentials: Credentials,
    /// What the registry wants to see with every request, if it gives out such a thing.
    token: Option<String>,
    oci: oci_client::Client,
    http: reqwest::Client,
}

/// What a manifest may be. One of another kind is asked for as well, to tell that it is no policy.
const MANIFESTS: [&str; 4] =
    [OCI_IMAGE_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE];

/// Most bytes that are read of what is said about an error.
const LONGEST_EXCUSE: u64 = 64 << 10;

impl<'a> Connection<'a> {
    /// Connects to the registry of a place, to read or to write there.
    pub(super) async fn open(
        place: &'a Place,
        access: &'a Access,
        operation: RegistryOperation,
    ) -> Result<Self, Problem> {
        let credentials = credentials::find(place)?;
        let (oci, http) = (access.oci_client()?, access.http_client()?);
        let mut connection = Connection { place, access, credentials, token: None, oci, http };
        let token = connection.oci.auth(place.reference(), &connection.credentials.auth, operation).await;
        connection.token = token.map_err(|error| connection.problem(error))?;
        Ok(connection)
    }

    /// The manifest that the tag or the digest of the place names, checked, and its digest.
    pub(super) async fn manifest(&self) -> Result<(Vec<u8>, Digest), Problem> {
        let digest = self.place.digest();
        let named = digest.map(Digest::to_string).or(self.place.tag().map(str::to_owned)).unwrap_or_default();
        let response = self.ask(&format!("manifests/{named}"), &MANIFESTS.join(", ")).await?;
        let promised = promised(&response);
        let manifest = self.whole(response, "manifest", LONGEST_MANIFEST).await?;
        let actual = Digest::of(&manifest);
        for expected in digest.into_iter().chain(promised.as_ref()) {
            check("manifest", expected, &actual)?;
        }
        Ok((manifest, actual))
    }

    /// The content of a layer, checked.
    pub(super) async fn module(&self, layer: &Layer) -> Result<Vec<u8>, Problem> {
        let response = self.ask(&format!("blobs/{}", layer.digest), "*/*").await?;
        let module = self.whole(response, "module", layer.size).await?;
        check("module", &layer.digest, &Digest::of(&module))?;
        Ok(module)
    }

    /// What stands at another path of the repository; `None` if nothing does.
    pub(super) async fn optional(&self, path: &str) -> Result<Option<Vec<u8>>, Problem> {
        match self.ask(path, &MANIFESTS.join(", ")).await {
            Ok(response) => self.whole(response, "answer", LONGEST_MANIFEST).await.map(Some),
            Err(Problem::Missing(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Writes everything that an artifact is made of, the manifest last: what has a name is whole.
    pub(super) async fn write(&self, artifact: &Artifact<'_>) -> Result<(), Problem> {
        let reference = self.place.reference();
        for blob in [artifact.module, CONFIG] {
            let written = self.oci.push_blob(reference, blob.to_vec(), &Digest::of(blob).to_string()).await;
            written.map_err(|error| self.problem(error))?;
        }
        let media_type = HeaderValue::from_static(OCI_IMAGE_MEDIA_TYPE);
        let named = self.oci.push_manifest_raw(reference, artifact.manifest.clone(), media_type).await;
        named.map(|_| ()).map_err(|error| self.problem(error))
    }

    /// Asks for something in the repository.
    async fn ask(&self, path: &str, accept: &str) -> Result<Response, Problem> {
        let (scheme, host, repository) = (self.access.scheme(), self.place.host(), self.place.repository());
        let request = self.http.get(format!("{scheme}://{host}/v2/{repository}/{path}")).header(ACCEPT, accept);
        let request = match (&self.token, &self.credentials.auth) {
            (Some(token), _) => request.bearer_auth(token),
            (None, RegistryAuth::Basic(user, password)) => request.basic_auth(user, Some(password)),
            (None, _) => request,
        };
        let response = request.send().await.map_err(|error| self.of_transport(&error))?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let code = response.status().as_u16();
        let excuse = self.whole(response, "answer", LONGEST_EXCUSE).await.unwrap_or_default();
        Err(self.of_status(code, &excuse))
    }

    /// Reads an answer to its end, which has to come within `limit` bytes.
    async fn whole(&self, mut response: Response, what: &'static str, limit: u64) -> Result<Vec<u8>, Problem> {
        let mut content = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.of_transport(&error))? {
            if content.len() as u64 + chunk.len() as u64 > limit {
                return Err(Problem::TooLong { what, limit });
            }
            content.extend_from_slice(&chunk);
        }
        Ok(content)
    }

    fn of_transport(&self, error: &reqwest::Error) -> Problem {
        Problem::of_transport(error, self.access.time_out())
    }

    fn of_status(&self, code: u16, body: &[u8]) -> Problem {
        Problem::of_status(code, body, self.credentials.origin.as_deref())
    }

    /// What the library says.
    fn problem(&self, error: OciDistributionError) -> Problem {
        match error {
            OciDistributionError::RequestError(error) => self.of_transport(&error),
            OciDistributionError::ServerError { code, message, .. } => self.of_status(code, message.as_bytes()),
            // What is said to a wrong password might repeat it.
            OciDistributionError::AuthenticationFailure(_) | OciDistributionError::UnauthorizedError { .. } => {
                self.of_status(StatusCode::UNAUTHORIZED.as_u16(), &[])
            }
            OciDistributionError::RegistryTokenDecodeError(_) => Problem::Protocol("it gave out no token".to_owned()),
            other => Problem::Protocol(other.to_string()),
        }
    }
}

/// The digest that a registry says its answer has.
fn promised(response: &Response) -> Option<Digest> {
    response.headers().get("docker-content-digest")?.to_str().ok()?.parse().ok()
}

pub(super) fn check(what: &'static str, expected: &Digest, actual: &Digest) -> Result<(), Problem> {
    if expected == actual {
        return Ok(());
    }
    Err(Problem::Altered { what, expected: expected.clone(), actual: actual.clone() })
}
