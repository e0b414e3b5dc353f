//! What Artifact Hub and Rancher read is what they take.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use sqledge_ha_policy::settings::{KEYS, Settings};

use crate::shared::text_of;

/// Reads a file of `artifacthub/` strictly, as Artifact Hub does: what it does not know is an error.
fn read<T: DeserializeOwned>(name: &str) -> T {
    serde_saphyr::from_str(&text_of(&format!("artifacthub/{name}"))).unwrap()
}

/// The members of `artifacthub-pkg.yml` that are ours, of those that Artifact Hub knows: artifacthub/hub,
/// `internal/hub/pkg.go` (`PackageMetadata` and what it holds), at 0d8b1c0b. The types are those there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Package {
    version: String,
    name: String,
    category: String,
    display_name: String,
    created_at: String,
    description: String,
    license: String,
    #[serde(rename = "homeURL")]
    home_url: String,
    containers_images: Vec<ContainerImage>,
    keywords: Vec<String>,
    links: Vec<Link>,
    readme: String,
    install: String,
    provider: Provider,
    recommendations: Vec<Recommendation>,
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContainerImage {
    name: String,
    image: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    name: String,
    url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Provider {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recommendation {
    url: String,
}

/// `internal/hub/repo.go` (`RepositoryMetadata`), at the same commit.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Repository {
    #[serde(rename = "repositoryID")]
    repository_id: Option<String>,
    owners: Vec<Value>,
}

/// `PackageCategoryFromName`, in `internal/hub/pkg.go`.
const CATEGORIES: [&str; 9] = [
    "ai-machine-learning",
    "database",
    "integration-delivery",
    "monitoring-logging",
    "networking",
    "security",
    "skip-prediction",
    "storage",
    "streaming-messaging",
];

/// Whether this is a version as SemVer 2 has it, without anything behind the numbers.
fn is_released_version(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok_and(|number| number.to_string() == *part))
}

/// Whether this is the beginning of a day as RFC 3339 has it.
fn is_day(text: &str) -> bool {
    let day = text.strip_suffix("T00:00:00Z").unwrap_or_default();
    let parts: Vec<u32> = day.split('-').map_while(|part| part.parse().ok()).collect();
    day.len() == 10 && matches!(parts[..], [2026..=2999, 1..=12, 1..=31])
}

/// What `ValidatePackageMetadata` and `ValidateContainersImages` demand of a Kubewarden policy, in
/// `internal/pkg/metadata.go`.
#[test]
fn artifact_hub_takes_the_package() {
    let package: Package = read("artifacthub-pkg.yml");
    assert!(is_released_version(&package.version), "{}", package.version);
    assert!(is_day(&package.created_at), "{}", package.created_at);
    for text in [&package.name, &package.display_name, &package.description, &package.readme, &package.install] {
        assert!(!text.is_empty());
    }
    assert!(package.name.chars().all(|character| character.is_ascii_alphanumeric() || character == '-'));
    assert!(CATEGORIES.contains(&package.category.as_str()));
    let [image] = &package.containers_images[..] else { panic!("one image, the policy") };
    assert_eq!(image.name, "policy");
    let (repository, tag) = image.image.rsplit_once(':').unwrap();
    assert!(repository.split('/').count() > 2 && !repository.contains("//"), "{repository}");
    assert_eq!(tag, format!("v{}", package.version));
    assert!(!package.keywords.iter().any(String::is_empty));
    let links: Vec<&str> = package.links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(links, ["policy", "source", "support"]);
    let urls = package.links.iter().map(|link| &link.url).chain([&package.home_url]);
    assert!(urls.chain(package.recommendations.iter().map(|other| &other.url)).all(|url| url.starts_with("https://")));
    assert_eq!((package.license.as_str(), package.provider.name.as_str()), ("Apache-2.0", "sqledge-ha"));
}

#[test]
fn the_package_is_of_the_version_of_the_command() {
    assert_eq!(read::<Package>("artifacthub-pkg.yml").version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_annotations_say_what_the_module_says_of_itself() {
    let annotations = read::<Package>("artifacthub-pkg.yml").annotations;
    let names: Vec<&str> = annotations.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "kubewarden/contextAwareResources",
            "kubewarden/mutation",
            "kubewarden/questions-ui",
            "kubewarden/resources",
            "kubewarden/rules"
        ]
    );
    let module = sqledge_ha::wasm_host::metadata::read(sqledge_ha::wasm_host::EMBEDDED).unwrap();
    let yaml = |name: &str| serde_saphyr::from_str::<Value>(&annotations[name]).unwrap();
    assert_eq!(yaml("kubewarden/rules"), module["rules"]);
    assert_eq!(yaml("kubewarden/contextAwareResources"), module["contextAwareResources"]);
    assert_eq!(yaml("kubewarden/mutation"), module["mutating"]);
    assert_eq!(yaml("kubewarden/questions-ui"), read::<Value>("questions-ui.yml"));
    assert!(annotations["kubewarden/resources"].split(", ").all(|kind| kind.starts_with(char::is_uppercase)));
}

#[test]
fn artifact_hub_takes_the_repositories() {
    for name in ["artifacthub-repo.yml", "artifacthub-repo-chart.yml"] {
        let repository: Repository = read(name);
        assert!(repository.repository_id.is_none() && repository.owners.is_empty(), "{name}");
    }
}

#[test]
fn a_version_is_announced_beside_those_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let branch = tempfile::tempdir().unwrap();
    let older = branch.path().join("sqledge-ha/0.0.9/artifacthub-pkg.yml");
    fs::create_dir_all(older.parent().unwrap()).unwrap();
    fs::write(&older, "version: 0.0.9\n").unwrap();
    // What was announced may be announced again.
    for _ in 0..2 {
        let script = root.join("artifacthub/release/announce.sh");
        let ran = Command::new("sh").arg(script).arg(branch.path()).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
    }
    let version = concat!("sqledge-ha/", env!("CARGO_PKG_VERSION"));
    for (announced, file) in [
        ("artifacthub-repo.yml".to_owned(), "artifacthub/artifacthub-repo.yml"),
        (format!("{version}/artifacthub-pkg.yml"), "artifacthub/artifacthub-pkg.yml"),
        (format!("{version}/README.md"), "policy/USAGE.md"),
    ] {
        let text = |path| fs::read_to_string(path).unwrap();
        assert_eq!(text(branch.path().join(&announced)), text(root.join(file)), "{announced}");
    }
    assert_eq!(fs::read_dir(branch.path().join("sqledge-ha")).unwrap().count(), 2);
    assert_eq!(fs::read_to_string(older).unwrap(), "version: 0.0.9\n");
}

/// What a question of the form may say, and how: rancher/kubewarden-ui, `pkg/kubewarden/components/Questions`, at dca2ea46.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    variable: String,
    #[serde(rename = "type")]
    kind: String,
    label: String,
    group: String,
    description: String,
    default: Value,
    required: bool,
    #[serde(default)]
    options: Vec<Value>,
    min: Option<i64>,
    max: Option<i64>,
    #[serde(default)]
    sequence_questions: Vec<Question>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    questions: Vec<Question>,
}

fn questions() -> Vec<Question> {
    read::<Form>("questions-ui.yml").questions
}

/// What the form holds after it was opened.
fn untouched(questions: &[Question]) -> Map<String, Value> {
    questions.iter().map(|question| (question.variable.clone(), question.default.clone())).collect()
}

fn settings(values: Map<String, Value>) -> Result<Settings, String> {
    Settings::from_value(&Value::Object(values))
}

#[test]
fn the_form_asks_for_every_setting_and_for_nothing_else() {
    let questions = questions();
    let asked: Vec<&str> = questions.iter().map(|question| question.variable.as_str()).collect();
    assert_eq!(asked, KEYS);
    for question in questions.iter().chain(questions.iter().flat_map(|question| &question.sequence_questions)) {
        let kinds = ["string", "boolean", "enum", "int", "array[", "map[", "sequence["];
        assert!(kinds.contains(&question.kind.as_str()), "{question:?}");
        assert!(!question.label.is_empty() && !question.description.is_empty(), "{question:?}");
        assert_eq!(question.group, "Settings");
        assert_eq!(question.kind == "enum", !question.options.is_empty(), "{question:?}");
        assert_eq!(question.kind == "sequence[", !question.sequence_questions.is_empty(), "{question:?}");
    }
    // The form does not let go whoever leaves out what is required.
    assert!(!questions.iter().any(|question| question.required));
}

#[test]
fn a_form_that_nobody_touched_gives_the_default_settings() {
    assert_eq!(settings(untouched(&questions())), Ok(Settings::default()));
}

#[test]
fn a_form_that_was_emptied_gives_the_default_settings() {
    let empty = |question: &Question| match question.kind.as_str() {
        "array[" | "sequence[" => json!([]),
        "map[" => json!({}),
        "boolean" => json!(false),
        _ => json!(""),
    };
    let emptied = questions().iter().map(|question| (question.variable.clone(), empty(question))).collect();
    assert_eq!(settings(emptied), Ok(Settings::default()));
}

#[test]
fn every_answer_that_the_form_offers_is_valid() {
    let mut values = untouched(&questions());
    for question in questions() {
        let answers = match question.kind.as_str() {
            "enum" => question.options,
            "boolean" => vec![json!(true), json!(false)],
            "int" => vec![json!(question.min.unwrap()), json!(question.max.unwrap())],
            _ => continue,
        };
        for answer in answers {
            values.insert(question.variable.clone(), answer);
            assert!(settings(values.clone()).is_ok(), "{values:?}");
        }
    }
}

#[test]
fn what_is_typed_into_the_form_becomes_settings() {
    let questions = questions();
    let image = questions.iter().find(|question| question.variable == "images").unwrap();
    // A new item has the defaults, and is refused until it is filled in.
    let mut item = untouched(&image.sequence_questions);
    let mut values = untouched(&questions);
    values.insert("images".to_owned(), json!([item]));
    assert!(settings(values.clone()).unwrap_err().contains("`repository` in `images`"));
    item.insert("repository".to_owned(), json!("team/edge"));
    values.insert("images".to_owned(), json!([item]));
    values.insert("rules".to_owned(), json!({"single-replica": "warn"}));
    values.insert("engines".to_owned(), json!(["sql-edge", "sql-server"]));
    values.insert("fsGroup".to_owned(), json!("none"));
    let settings = settings(values).unwrap();
    assert_eq!((settings.images.len(), settings.rules.len(), settings.engines.len()), (1, 1, 2));
    assert_eq!(settings.fs_group, None);
}
