//! The files for Artifact Hub and Rancher are valid.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use sqledge_ha_policy::finding::Action;
use sqledge_ha_policy::rules::parse_settings;
use sqledge_ha_policy::settings::{Exposure, SETTINGS, Settings};

use crate::shared::text_of;

/// Reads a file in `artifacthub/`. Like in Artifact Hub, unknown fields are errors.
fn read<T: DeserializeOwned>(name: &str) -> T {
    serde_saphyr::from_str(&text_of(&format!("artifacthub/{name}"))).unwrap()
}

/// The fields of `artifacthub-pkg.yml` that we use, with their types in artifacthub/hub, `internal/hub/pkg.go`
/// (`PackageMetadata`), at 0d8b1c0b.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Package {
    version: String,
    name: String,
    category: String,
    display_name: String,
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

/// Whether a text is a SemVer 2 version without a suffix.
fn is_released_version(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok_and(|number| number.to_string() == *part))
}

/// Whether a line is the date of a package as RFC 3339 has it.
fn is_date(line: &str) -> bool {
    let digits = |digit: char| if digit.is_ascii_digit() { '0' } else { digit };
    line.chars().map(digits).collect::<String>() == "createdAt: \"0000-00-00T00:00:00Z\""
}

/// The checks of `ValidatePackageMetadata` and `ValidateContainersImages` in `internal/pkg/metadata.go`.
#[test]
fn artifact_hub_accepts_the_package() {
    let package: Package = read("artifacthub-pkg.yml");
    assert!(is_released_version(&package.version), "{}", package.version);
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
fn the_package_has_the_version_of_the_command() {
    assert_eq!(read::<Package>("artifacthub-pkg.yml").version, env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_annotations_match_the_metadata_of_the_module() {
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
fn artifact_hub_accepts_the_repositories() {
    for name in ["artifacthub-repo.yml", "artifacthub-repo-chart.yml"] {
        let repository: Repository = read(name);
        assert!(repository.repository_id.is_none() && repository.owners.is_empty(), "{name}");
    }
}

#[test]
fn announcing_a_version_keeps_the_others() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let branch = tempfile::tempdir().unwrap();
    let older = branch.path().join("sqledge-ha/0.0.9/artifacthub-pkg.yml");
    fs::create_dir_all(older.parent().unwrap()).unwrap();
    fs::write(&older, "version: 0.0.9\n").unwrap();
    // A version can be announced twice.
    for _ in 0..2 {
        let script = root.join("artifacthub/release/announce.sh");
        let ran = Command::new("sh").arg(script).arg(branch.path()).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
    }
    let version = concat!("sqledge-ha/", env!("CARGO_PKG_VERSION"));
    let text = |path| fs::read_to_string(path).unwrap();
    for (announced, file) in [
        ("artifacthub-repo.yml".to_owned(), "artifacthub/artifacthub-repo.yml"),
        (format!("{version}/README.md"), "policy/USAGE.md"),
    ] {
        assert_eq!(text(branch.path().join(&announced)), text(root.join(file)), "{announced}");
    }
    let package = text(branch.path().join(version).join("artifacthub-pkg.yml"));
    let (date, rest) = package.split_once('\n').unwrap();
    assert!(is_date(date), "{date}");
    assert_eq!(rest, text(root.join("artifacthub/artifacthub-pkg.yml")));
    assert_eq!(fs::read_dir(branch.path().join("sqledge-ha")).unwrap().count(), 2);
    assert_eq!(fs::read_to_string(older).unwrap(), "version: 0.0.9\n");
}

/// The fields of a question: rancher/kubewarden-ui, `pkg/kubewarden/components/Questions`, at dca2ea46.
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

/// The answers of a form that was opened and not changed.
fn untouched(questions: &[Question]) -> Map<String, Value> {
    questions.iter().map(|question| (question.variable.clone(), question.default.clone())).collect()
}

fn settings(values: Map<String, Value>) -> Result<Settings, String> {
    parse_settings(&Value::Object(values))
}

#[test]
fn the_form_has_a_question_for_each_setting() {
    let questions = questions();
    let asked: Vec<&str> = questions.iter().map(|question| question.variable.as_str()).collect();
    assert!(asked.iter().copied().eq(SETTINGS.iter().map(|setting| setting.key)), "{asked:?}");
    for question in questions.iter().chain(questions.iter().flat_map(|question| &question.sequence_questions)) {
        let kinds = ["string", "boolean", "enum", "int", "array[", "map[", "sequence["];
        assert!(kinds.contains(&question.kind.as_str()), "{question:?}");
        assert!(!question.label.is_empty() && !question.description.is_empty(), "{question:?}");
        assert_eq!(question.group, "Settings");
        assert_eq!(question.kind == "enum", !question.options.is_empty(), "{question:?}");
        assert_eq!(question.kind == "sequence[", !question.sequence_questions.is_empty(), "{question:?}");
    }
    // The form cannot be submitted without the required answers.
    assert!(!questions.iter().any(|question| question.required));
}

#[test]
fn an_unchanged_form_gives_the_settings_of_the_manifests() {
    let expected = Settings { exposure: Some(Exposure::Internal), ..Settings::default() };
    assert_eq!(settings(untouched(&questions())), Ok(expected));
}

#[test]
fn an_emptied_form_gives_the_default_settings() {
    let empty = |question: &Question| match question.kind.as_str() {
        "array[" | "sequence[" => json!([]),
        "map[" => json!({}),
        _ => json!(""),
    };
    let emptied = questions().iter().map(|question| (question.variable.clone(), empty(question))).collect();
    assert_eq!(settings(emptied), Ok(Settings::default()));
}

#[test]
fn all_options_of_the_form_are_valid() {
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
fn answers_of_the_form_become_settings() {
    let questions = questions();
    let image = questions.iter().find(|question| question.variable == "images").unwrap();
    // A new item has the defaults, and is invalid until the repository is set.
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
    assert_eq!((settings.images.len(), settings.engines.len()), (1, 2));
    assert_eq!(settings.rules.action("single-replica"), Some(Action::Warn));
    assert_eq!(settings.fs_group, None);
}
