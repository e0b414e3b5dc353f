//! Does this container run SQL Edge, or SQL Server?

use serde::Serialize;

use crate::image::ImageReference;
use crate::kind::Kind;
use crate::node::Node;
use crate::settings::Settings;

/// A database engine that the rules can govern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// Azure SQL Edge.
    SqlEdge,
    /// SQL Server on Linux.
    SqlServer,
}

impl Engine {
    /// Every engine with its name in settings.
    pub const NAMES: [(&'static str, Engine); 2] = [("sql-edge", Engine::SqlEdge), ("sql-server", Engine::SqlServer)];

    /// The name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Engine::SqlEdge => "sql-edge",
            Engine::SqlServer => "sql-server",
        }
    }

    /// The product's name in messages.
    pub fn product(self) -> &'static str {
        match self {
            Engine::SqlEdge => "SQL Edge",
            Engine::SqlServer => "SQL Server",
        }
    }
}

/// Image repositories that carry an engine, by their last path components. They are Microsoft's names, under which
/// mirrors and derived images are published too.
const IMAGES: [(&str, Engine); 7] = [
    ("azure-sql-edge", Engine::SqlEdge),
    ("azure-sql-edge/developer", Engine::SqlEdge),
    ("azure-sql-edge/premium", Engine::SqlEdge),
    ("azure-sql-edge-developer", Engine::SqlEdge),
    ("mssql/server", Engine::SqlServer),
    ("mssql/rhel/server", Engine::SqlServer),
    ("mssql-server-linux", Engine::SqlServer),
];

/// Texts of which one stands in every image above, as few as there can be: API servers look for them in every pod.
pub const IMAGE_MARKERS: [&str; 2] = ["azure-sql-edge", "mssql"];

/// The variable that every engine needs, so that an unknown image is known by it.
pub const LICENCE_VARIABLE: &str = "ACCEPT_EULA";

/// Texts of which at least one stands in every object that runs an engine, apart from the images in the settings: what
/// holds none of them need not be parsed. Most clients, which name `mssql` at every turn, hold none.
pub const MARKERS: [&str; 5] =
    ["azure-sql-edge", "mssql/server", "mssql/rhel/server", "mssql-server-linux", LICENCE_VARIABLE];

/// How a container was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detection {
    /// The engine it runs.
    pub engine: Engine,
    /// By its image's name; otherwise by its environment.
    pub by_image: bool,
}

/// The engine that `container` runs in a pod of `kind`, governed or not.
pub fn detect(container: &Node<'_>, kind: Kind, settings: &Settings) -> Option<Detection> {
    let image = ImageReference::parse(container.at("image").str().unwrap_or_default());
    if image.short_name().starts_with("mssql-tools") {
        return None;
    }
    for configured in &settings.images {
        if image.repository_ends_with(&configured.repository) {
            return Some(Detection { engine: configured.engine, by_image: true });
        }
    }
    for (suffix, engine) in IMAGES {
        if image.repository_ends_with(suffix) {
            return Some(Detection { engine, by_image: true });
        }
    }
    // Backup and migration jobs carry the same variables as clients.
    let by_environment = !kind.runs_to_completion()
        && is_set(container, &[LICENCE_VARIABLE])
        && is_set(container, &["MSSQL_SA_PASSWORD", "SA_PASSWORD"]);
    by_environment.then_some(Detection { engine: Engine::SqlServer, by_image: false })
}

fn is_set(container: &Node<'_>, names: &[&str]) -> bool {
    container.at("env").items().any(|variable| variable.at("name").str().is_some_and(|name| names.contains(&name)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::test;

    fn engine_of(container: Value) -> Option<Engine> {
        detect(&Node::root(&container), Kind::Deployment, &Settings::default()).map(|detection| detection.engine)
    }

    #[test]
    fn engines_are_known_by_image() {
        let cases = [
            ("mcr.microsoft.com/azure-sql-edge", Some(Engine::SqlEdge)),
            ("mcr.microsoft.com/azure-sql-edge/premium:1.0.7", Some(Engine::SqlEdge)),
            ("azuresqledge.azurecr.io/azure-sql-edge-developer@sha256:00", Some(Engine::SqlEdge)),
            ("mcr.microsoft.com/mssql/rhel/server:2022-latest", Some(Engine::SqlServer)),
            ("microsoft/mssql-server-linux", Some(Engine::SqlServer)),
            ("mcr.microsoft.com/mssql-tools:latest", None),
            ("mcr.microsoft.com/mssql/server/tools", None),
            ("my-azure-sql-edge", None),
        ];
        for (image, engine) in cases {
            assert_eq!(engine_of(json!({"image": image})), engine, "{image}");
        }
    }

    #[test]
    fn an_unknown_image_is_known_by_its_environment() {
        let environment = json!([{"name": "ACCEPT_EULA", "value": "Y"}, {"name": "SA_PASSWORD", "valueFrom": {}}]);
        let container = json!({"image": "mssql-custom", "env": environment});
        assert_eq!(engine_of(container.clone()), Some(Engine::SqlServer));
        assert_eq!(detect(&Node::root(&container), Kind::Job, &Settings::default()), None);
        assert_eq!(engine_of(json!({"image": "mssql-tools18", "env": environment})), None);
        assert_eq!(engine_of(json!({"env": [{"name": "ACCEPT_EULA"}]})), None);
        assert_eq!(engine_of(json!({"image": 5, "env": {}})), None);
    }

    #[test]
    fn every_known_image_has_a_marker() {
        for (image, _) in IMAGES {
            assert!(MARKERS.iter().any(|marker| image.contains(marker)), "{image}");
            assert!(IMAGE_MARKERS.iter().any(|marker| image.contains(marker)), "{image}");
        }
    }
}
