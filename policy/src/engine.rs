//! The database products that the rules check, and the containers that run them.

pub mod variables;

use self::variables::{EULA, FORMER_PASSWORD, PASSWORD, TCP_PORT};
use crate::json::cursor::Cursor;
use crate::kubernetes::command::{Command, argv, commands, shell_script};
use crate::kubernetes::image::ImageReference;
use crate::kubernetes::kind::WorkloadKind;
use crate::kubernetes::volumes::{is_within, normalized};

/// A database product, as data.
#[derive(Debug, PartialEq, Eq)]
pub struct Engine {
    /// The name in settings.
    pub name: &'static str,
    /// The product's name in messages.
    pub product: &'static str,
    /// The last path components of its image repositories. They are Microsoft's names, which mirrors and derived images
    /// keep.
    pub images: &'static [&'static str],
    /// The directory of everything that it keeps: databases, logs, the machine key, `.system`.
    pub data_root: &'static str,
    /// The directory of the database files, unless the environment names another one
    /// (<https://learn.microsoft.com/sql/linux/sql-server-linux-configure-environment-variables>).
    pub data_directory: &'static str,
    /// The directories below the data root that must survive the pod beside the database files, and what they hold.
    pub required_directories: &'static [(&'static str, &'static str)],
    /// The TCP port on which it listens, unless the environment names another one.
    pub port: i64,
    /// The user that its image runs as.
    pub uid: i64,
    /// The node architecture of its supported images.
    pub architecture: &'static str,
    /// The least memory with which it starts, in MiB.
    pub memory_floor_mib: u32,
    /// The editions that `MSSQL_PID` can name.
    pub editions: &'static [&'static str],
    /// Whether `MSSQL_PID` can be a product key (<https://learn.microsoft.com/azure/azure-sql-edge/configure>).
    pub has_product_keys: bool,
    /// Whether its current builds work on kernels after 6.6.
    pub works_on_new_kernels: bool,
    /// Whether it has availability groups, so that several replicas can hold the same data.
    pub has_availability_groups: bool,
    /// Variables by which a container with an unknown image counts as this product: one of each group.
    pub marking_variables: &'static [&'static [&'static str]],
}

/// What the products have in common.
const COMMON: Engine = Engine {
    name: "",
    product: "",
    images: &[],
    data_root: "/var/opt/mssql",
    data_directory: "/var/opt/mssql/data",
    required_directories: &[("/var/opt/mssql/log", "error logs"), ("/var/opt/mssql/secrets", "the machine key")],
    port: 1433,
    uid: 10001,
    architecture: "amd64",
    memory_floor_mib: 0,
    editions: &[],
    has_product_keys: false,
    works_on_new_kernels: true,
    has_availability_groups: false,
    marking_variables: &[],
};

/// Azure SQL Edge.
pub static SQL_EDGE: Engine = Engine {
    name: "sql-edge",
    product: "SQL Edge",
    images: &["azure-sql-edge", "azure-sql-edge/developer", "azure-sql-edge/premium", "azure-sql-edge-developer"],
    memory_floor_mib: 1024,
    editions: &["Developer", "Premium"],
    works_on_new_kernels: false,
    ..COMMON
};

/// SQL Server on Linux.
pub static SQL_SERVER: Engine = Engine {
    name: "sql-server",
    product: "SQL Server",
    images: &["mssql/server", "mssql/rhel/server", "mssql-server-linux"],
    memory_floor_mib: 2048,
    editions: &[
        "Developer",
        "Express",
        "Standard",
        "Enterprise",
        "EnterpriseCore",
        "Evaluation",
        "Web",
        // Since SQL Server 2025.
        "EnterpriseDeveloper",
        "StandardDeveloper",
    ],
    has_product_keys: true,
    has_availability_groups: true,
    marking_variables: &[&[EULA], &[PASSWORD, FORMER_PASSWORD]],
    ..COMMON
};

/// Every product, in the order of the documentation.
pub static ENGINES: [&Engine; 2] = [&SQL_EDGE, &SQL_SERVER];

/// Substrings of which each image above contains one, as few as possible: API servers search every pod for them.
pub const IMAGE_SUBSTRINGS: [&str; 2] = ["azure-sql-edge", "mssql"];

/// Substrings of which each object with a database container contains one, apart from the images in the settings: an
/// object without them need not be parsed. Most clients, which name `mssql` in many places, contain none.
pub const ENGINE_SUBSTRINGS: [&str; 5] =
    ["azure-sql-edge", "mssql/server", "mssql/rhel/server", "mssql-server-linux", EULA];

/// An image repository of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageMapping {
    /// Path components at the end of the repository, without registry, tag and digest.
    pub repository: String,
    /// The product in it.
    pub engine: &'static Engine,
}

/// The product that a container runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetectedEngine {
    /// The product.
    pub engine: &'static Engine,
    /// Whether its image's name says so, rather than its environment.
    pub by_image: bool,
}

/// The product that `container` runs in a pod of `kind`, selected or not; `images` are those of the settings.
pub fn detect(container: &Cursor<'_>, kind: WorkloadKind, images: &[ImageMapping]) -> Option<DetectedEngine> {
    let image = ImageReference::parse(container.at("image").str().unwrap_or_default());
    if image.short_name().starts_with("mssql-tools") || image.repository_ends_with(EMULATOR) || runs_client(container) {
        return None;
    }
    let configured = images.iter().map(|mapping| (mapping.repository.as_str(), mapping.engine));
    let known = ENGINES.iter().flat_map(|engine| engine.images.iter().map(|suffix| (*suffix, *engine)));
    if let Some((_, engine)) = configured.chain(known).find(|(suffix, _)| image.repository_ends_with(suffix)) {
        return Some(DetectedEngine { engine, by_image: true });
    }
    // Jobs for backups and migrations carry the same variables as clients.
    let engine = ENGINES.into_iter().find(|engine| !kind.runs_to_completion() && is_marked(container, engine))?;
    Some(DetectedEngine { engine, by_image: false })
}

/// Whether the environment of a container, and a second sign, mark it as `engine`. Applications share the variables
/// with their database.
fn is_marked(container: &Cursor<'_>, engine: &Engine) -> bool {
    let sets = |names: &[&str]| {
        container.at("env").items().any(|variable| variable.at("name").str().is_some_and(|name| names.contains(&name)))
    };
    let is_set = |names: &&[&str]| sets(names);
    let listens = || container.at("ports").items().any(|port| port.at("containerPort").int() == Some(engine.port));
    let has_files = || {
        let paths =
            container.at("volumeMounts").items().filter_map(|mount| mount.at("mountPath").str().map(normalized));
        paths.into_iter().any(|path| is_within(&path, engine.data_root))
    };
    !engine.marking_variables.is_empty()
        && engine.marking_variables.iter().all(is_set)
        && (sets(&[TCP_PORT]) || listens() || has_files() || names_server(container))
}

/// The Service Bus emulator, a client that has the variables of its database.
const EMULATOR: &str = "azure-messaging/servicebus-emulator";

/// Programs that are no server, in the images of one.
const CLIENTS: [&str; 5] = ["sqlcmd", "bcp", "sqlpackage", "sleep", "tail"];

/// The directory of `sqlcmd` in former images.
pub const FORMER_TOOLS: &str = "/opt/mssql-tools/bin";

/// The releases of SQL Server whose images have `sqlcmd` elsewhere, from a cumulative update on; 0 for all builds
/// (<https://github.com/microsoft/mssql-docker/issues/892>).
const MOVED_TOOLS: [(&str, i64); 3] = [("2019", 28), ("2022", 14), ("2025", 0)];

/// Whether an image has, or may have, `sqlcmd` in [`FORMER_TOOLS`].
pub fn has_former_tools(image: &str) -> bool {
    let image = ImageReference::parse(image);
    let (release, build) = release_and_build(&image);
    let has_moved = |(moved, since): &(&str, i64)| {
        let has_always = *since == 0 || build == "latest";
        release == *moved && (has_always || cumulative_update(build).is_some_and(|update| update >= *since))
    };
    image.digest.is_some() || !image.repository_ends_with("mssql/server") || !MOVED_TOOLS.iter().any(has_moved)
}

/// The release and the build in the tag of an image of SQL Server, such as `2022` and `CU12-ubuntu-22.04`.
fn release_and_build<'a>(image: &ImageReference<'a>) -> (&'a str, &'a str) {
    match image.tag {
        None | Some("latest") => ("2025", "latest"),
        Some(tag) => tag.split_once('-').unwrap_or((tag, "")),
    }
}

/// The number of the cumulative update of a build.
fn cumulative_update(build: &str) -> Option<i64> {
    build.strip_prefix("CU")?.split('-').next()?.parse().ok()
}

/// The first cumulative update of SQL Server 2022 that works on newer kernels than [`LAST_KERNEL`]
/// (<https://github.com/bitwarden/server/issues/3904>). No build of 2017 does
/// (<https://github.com/microsoft/mssql-docker/issues/899>).
const FIRST_UPDATE_OF_2022: i64 = 12;

/// The last kernel on which SQL Edge, and old builds of SQL Server, work
/// (<https://github.com/microsoft/mssql-docker/issues/893>).
const LAST_KERNEL: (u32, u32) = (6, 6);

/// Whether an image is of SQL Server 2017. It has a repository of its own, also without a tag.
pub fn is_2017(image: &str) -> bool {
    let image = ImageReference::parse(image);
    let has_tag = || image.tag.is_some_and(|tag| tag.starts_with("2017"));
    image.repository_ends_with("mssql-server-linux") || (is_of_releases(&image) && has_tag())
}

/// Whether an image is in one of the repositories of SQL Server whose tags name the release.
fn is_of_releases(image: &ImageReference<'_>) -> bool {
    ["mssql/server", "mssql/rhel/server"].iter().any(|suffix| image.repository_ends_with(suffix))
}

impl Engine {
    /// The last Linux kernel, major and minor version, on which an image of it works; `None` if it works on all, or is
    /// not known to fail.
    pub fn last_working_kernel(&self, image: &str) -> Option<(u32, u32)> {
        let fails = !self.works_on_new_kernels || is_2017(image) || is_old_2022(image);
        fails.then_some(LAST_KERNEL)
    }
}

/// Whether an image is of a build of SQL Server 2022 before [`FIRST_UPDATE_OF_2022`].
fn is_old_2022(image: &str) -> bool {
    let image = ImageReference::parse(image);
    let (release, build) = release_and_build(&image);
    let is_old =
        || build.starts_with("RTM") || cumulative_update(build).is_some_and(|update| update < FIRST_UPDATE_OF_2022);
    release == "2022" && is_of_releases(&image) && is_old()
}

/// Whether the command of a container changes `mssql.conf`, so that more may be configured than its environment shows.
pub fn writes_configuration(container: &Cursor<'_>) -> bool {
    argv(container).iter().any(|word| word.contains("mssql.conf") || word.contains("mssql-conf"))
}

/// Whether the command of a container names the program of the server.
fn names_server(container: &Cursor<'_>) -> bool {
    argv(container).iter().any(|word| word.contains("sqlservr"))
}

/// Whether the command of a container replaces the server by something else that can be seen. A script that the
/// manifest does not show may start the server.
fn runs_client(container: &Cursor<'_>) -> bool {
    let argv = argv(container);
    if argv.is_empty() || names_server(container) {
        return false;
    }
    let commands = commands(&argv);
    let is_client = |command: &Command| CLIENTS.contains(&command.program());
    !commands.iter().any(|command| !is_client(command) && command.runs_unseen_script())
        && (shell_script(&argv).is_some() || commands.iter().all(is_client))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::test;

    fn engine_of(container: Value) -> Option<&'static Engine> {
        detect(&Cursor::root(&container), WorkloadKind::Deployment, &[]).map(|detected| detected.engine)
    }

    #[test]
    fn a_product_is_detected_by_its_image() {
        let cases = [
            ("mcr.microsoft.com/azure-sql-edge", Some(&SQL_EDGE)),
            ("mcr.microsoft.com/azure-sql-edge/premium:1.0.7", Some(&SQL_EDGE)),
            ("azuresqledge.azurecr.io/azure-sql-edge-developer@sha256:00", Some(&SQL_EDGE)),
            ("mcr.microsoft.com/mssql/rhel/server:2022-latest", Some(&SQL_SERVER)),
            ("microsoft/mssql-server-linux", Some(&SQL_SERVER)),
            ("mcr.microsoft.com/mssql-tools:latest", None),
            ("mcr.microsoft.com/mssql/server/tools", None),
            ("my-azure-sql-edge", None),
        ];
        for (image, engine) in cases {
            assert_eq!(engine_of(json!({"image": image})), engine, "{image}");
        }
    }

    #[test]
    fn an_image_of_the_settings_comes_first() {
        let container = json!({"image": "r.io/team/azure-sql-edge"});
        let images = [ImageMapping { repository: "team/azure-sql-edge".to_owned(), engine: &SQL_SERVER }];
        let detected = detect(&Cursor::root(&container), WorkloadKind::Pod, &images);
        assert_eq!(detected, Some(DetectedEngine { engine: &SQL_SERVER, by_image: true }));
    }

    #[test]
    fn a_container_that_runs_something_else_is_a_client() {
        let runs = |command: Value| engine_of(json!({"image": "azure-sql-edge", "command": command})).is_some();
        assert!(runs(json!([])) && runs(json!(["/opt/mssql/bin/sqlservr"])) && runs(json!(["/start.sh"])));
        assert!(runs(json!(["bash", "-c", "setup & exec /opt/mssql/bin/sqlservr"])));
        assert!(runs(json!(["bash", "-c", ". /entry; wait"])) && runs(json!(["own-server"])));
        assert!(!runs(json!(["/opt/mssql-tools/bin/sqlcmd", "-Q", "BACKUP"])) && !runs(json!(["sleep", "9"])));
        assert!(!runs(json!(["/opt/sqlpackage/sqlpackage", "/a:Export"])));
        assert!(!runs(json!(["bash", "-c", "/home/mssql/.dotnet/tools/sqlpackage /a:Export"])));
        assert!(runs(json!(["/bin/bash", "-c", "# don't wait\n/scripts/start\n"])));
        assert!(runs(json!(["/bin/bash", "-c", "echo $'a\\'b'; /custom/run"])));
        assert!(
            runs(json!(["/bin/bash", "-c", "--", "/scripts/start.sh"])) && runs(json!(["bash", "/own", "-c", "x"]))
        );
        assert!(!runs(json!(["/bin/bash", "-ce", "sleep infinity"])));
        assert!(!runs(json!(["bash", "-c", "until sqlcmd -Q 'select 1'; do sleep 1; done"])));
        assert_eq!(
            engine_of(json!({"image": "mcr.microsoft.com/azure-messaging/servicebus-emulator", "env": [
            {"name": "ACCEPT_EULA"}, {"name": "SA_PASSWORD"}], "ports": [{"containerPort": 1433}]})),
            None
        );
    }

    #[test]
    fn an_unknown_image_is_detected_by_its_environment_and_a_second_sign() {
        let environment = json!([{"name": "ACCEPT_EULA", "value": "Y"}, {"name": "SA_PASSWORD", "valueFrom": {}}]);
        let alone = json!({"image": "mssql-custom", "env": environment});
        assert_eq!(engine_of(alone.clone()), None);
        for (field, sign) in [
            ("ports", json!([{"containerPort": 1433}])),
            ("volumeMounts", json!([{"name": "data", "mountPath": "/var/opt/mssql/data/"}])),
            ("args", json!(["/opt/mssql/bin/sqlservr"])),
        ] {
            let mut container = alone.clone();
            container[field] = sign;
            assert_eq!(engine_of(container), Some(&SQL_SERVER), "{field}");
        }
        let mut container = alone;
        container["ports"] = json!([{"containerPort": 1433}]);
        assert_eq!(engine_of(container.clone()), Some(&SQL_SERVER));
        assert_eq!(detect(&Cursor::root(&container), WorkloadKind::Job, &[]), None);
        assert_eq!(engine_of(json!({"image": "mssql-tools18", "env": environment})), None);
        assert_eq!(engine_of(json!({"env": [{"name": "ACCEPT_EULA"}]})), None);
        assert_eq!(engine_of(json!({"image": 5, "env": {}})), None);
    }

    #[test]
    fn every_image_contains_a_searched_substring() {
        for image in ENGINES.iter().flat_map(|engine| engine.images) {
            assert!(ENGINE_SUBSTRINGS.iter().any(|substring| image.contains(substring)), "{image}");
            assert!(IMAGE_SUBSTRINGS.iter().any(|substring| image.contains(substring)), "{image}");
        }
    }
}
