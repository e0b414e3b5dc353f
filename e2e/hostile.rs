//! Input that is broken, malicious or merely unlucky: a documented exit code, a sentence for a person, no secret and no
//! control sequence in it; never a crash.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use sqledge_ha_policy::rules::RULES;
use tempfile::TempDir;

use crate::corpus::{Ran, cases, lint};

/// How every literal password of the corpus and of these tests begins.
const SECRET: &str = "Secret-of-";

/// The example with which nothing is wrong.
fn right() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/examples/right.yaml")).unwrap()
}

/// Runs the command and makes sure that the outcome is a documented one, fit for a terminal.
fn run(directory: &Path, arguments: &[&str]) -> Ran {
    let ran = lint(directory, arguments);
    assert!((0..=4).contains(&ran.code), "exit code {}\n{}{}", ran.code, ran.output, ran.said);
    let is_json = arguments.contains(&"json");
    for text in [&ran.output, &ran.said] {
        let is_bad = |character: char| if is_json { character.is_ascii_control() } else { commands(character) };
        let control = text.chars().find(|character| is_bad(*character) && *character != '\n');
        assert_eq!(control, None, "{arguments:?}\n{text:?}");
        assert!(!text.contains("panicked"), "{text}");
    }
    ran
}

/// Whether a terminal may act on a character, or show another order than there is.
fn commands(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What a person sees, without the path of the temporary directory.
fn shown(directory: &Path, ran: &Ran) -> String {
    let text = format!("{}{}[exit code {}]\n", ran.output, ran.said, ran.code);
    text.replace(&*directory.to_string_lossy(), "[directory]")
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots/hostile");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Lints one file with these bytes, by both reports, and shows what came of it.
fn file(name: &str, bytes: impl AsRef<[u8]>, code: i32) {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join(name), bytes).unwrap();
    let ran = run(directory.path(), &[name]);
    assert_eq!(ran.code, code, "{}", ran.output);
    let machine = run(directory.path(), &["--format", "json", name]);
    assert_eq!(machine.code, code, "{}", machine.output);
    let report: Value = serde_json::from_str(&machine.output).expect("the report is JSON");
    assert_eq!(report["errors"].as_array().unwrap().is_empty(), code != 4, "{report:#}");
    for output in [&ran.output, &machine.output] {
        assert!(!output.contains(SECRET), "a secret is shown:\n{output}");
    }
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    snapshot(stem, &shown(directory.path(), &ran));
}

// Texts that are no manifests.

#[test]
fn a_letter_is_no_yaml() {
    file("letter.yaml", "Dear all,\n\tin kind reply: the warehouse moves: on Monday. {\n", 4);
}

#[test]
fn half_a_document_is_not_read() {
    file(
        "half-in-flow.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template: {metadata: {labels: {app: mssql-till",
        4,
    );
    let right = right();
    let (half, _) = right.split_once("Developer").unwrap();
    file("half-in-quotes.yaml", format!("{half}\"Devel"), 4);
}

#[test]
fn the_whole_documents_before_a_broken_one_are_judged() {
    let broken = right().replace("type: LoadBalancer", "type: ClusterIP") + "---\nkind: [\n";
    file("right-then-broken.yaml", broken, 4);
}

#[test]
fn only_utf_8_is_text() {
    file("latin-1.yaml", b"kind: Pod\nname: caf\xe9\n", 4);
    let wide = |bytes: fn(u16) -> [u8; 2]| "\u{feff}kind: Pod\n".encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    file("utf-16-le.yaml", wide(u16::to_le_bytes), 4);
    file("utf-16-be.yaml", wide(u16::to_be_bytes), 4);
    file("utf-16-without-a-mark.yaml", &wide(u16::to_be_bytes)[2..], 4);
    file("no-text-at-all.yaml", [0_u8, 159, 146, 150, 0, 1, 2], 4);
}

#[test]
fn an_empty_file_is_nothing_to_check() {
    file("empty.yaml", "", 3);
    file("only-comments.yaml", "# nothing here\n---\n# nor here\n", 3);
    file("only-a-byte-order-mark.yaml", "\u{feff}", 3);
}

#[test]
fn a_byte_order_mark_and_windows_line_endings_change_nothing() {
    file("from-windows.yaml", format!("\u{feff}{}", right().replace('\n', "\r\n")), 0);
}

#[test]
fn a_helm_template_is_recognised() {
    file("helm.yaml", right().replace("replicas: 1", "replicas: {{ .Values.replicas }}"), 4);
    let control = right().replace("      securityContext:", "      {{- if .Values.group }}\n      securityContext:");
    file("helm-control.yaml", control, 4);
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    file("twice.yaml", right().replace("  replicas: 1\n", "  replicas: 1\n  replicas: 2\n"), 4);
    file(
        "twice-far-apart.yaml",
        right().replace("        - name: sqledge\n", "        - name: sqledge\n          env: []\n"),
        4,
    );
}

// Shapes that nobody meant.

#[test]
fn nesting_has_an_end() {
    file("deep-in-flow.yaml", format!("kind: {}{}", "[".repeat(10_000), "]".repeat(10_000)), 4);
    file("deep-in-flow-unclosed.yaml", format!("kind: {}", "{a: ".repeat(10_000)), 4);
    file("deep-in-blocks.yaml", (0..10_000).map(|depth| " ".repeat(depth) + "kind:\n").collect::<String>(), 4);
    file("deep-in-dashes.yaml", "- ".repeat(10_000) + "kind\n", 4);
    file("deep.json", "{\"kind\":".repeat(10_000) + "1" + &"}".repeat(10_000), 4);
}

#[test]
fn aliases_do_not_explode() {
    let bomb = (1..12).fold("kind0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let again = vec![format!("*a{}", level - 1); 9].join(", ");
        format!("{text}kind{level}: &a{level} [{again}]\n")
    });
    file("alias-bomb.yaml", bomb, 4);
    file("alias-of-itself.yaml", "kind: &a [*a]\n", 4);
    file("alias-of-nothing.yaml", "kind: *b\n", 4);
}

#[test]
fn values_of_the_wrong_type_are_no_crash() {
    let wrong = "apiVersion: 1\nkind: Deployment\nspec: {template: {spec: {containers: [{image: azure-sql-edge}]}}}\n---\n\
        apiVersion: apps/v1\nkind: Deployment\nmetadata: a-name\nspec:\n  replicas: \"3\"\n  template:\n    metadata: text\n    \
        spec:\n      volumes: null\n      containers: {name: db, image: azure-sql-edge}\n---\n\
        apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: [a, b]}\nspec:\n  - replicas: 3\n---\n\
        apiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {selector: app, ports: 1433, type: [LoadBalancer]}\n---\n\
        [a, list]\n---\ntext\n---\n5\n---\nkind: {a: b}\napiVersion: [v1]\n";
    file("no-workload-of-the-right-type.yaml", wrong, 3);
    let engine = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b, labels: 5, namespace: 7}\nspec:\n  replicas: \"3\"\n  \
        strategy: [Recreate]\n  selector: yes\n  template:\n    metadata: {labels: [a]}\n    spec:\n      nodeSelector: amd64\n      \
        affinity: none\n      tolerations: {key: x}\n      securityContext: root\n      terminationGracePeriodSeconds: \"30\"\n      \
        volumes: null\n      initContainers: 3\n      containers:\n        - 5\n        - name: db\n          image: azure-sql-edge\n          \
        env: {ACCEPT_EULA: \"Y\"}\n          envFrom: x\n          ports: 1433\n          volumeMounts: /var/opt/mssql\n";
    file("everything-of-the-wrong-type.yaml", engine, 1);
}

#[test]
fn numbers_beyond_every_size_are_no_crash() {
    let huge = "99999999999999999999999999999999";
    let text = right()
        .replace("replicas: 1", &format!("replicas: {huge}"))
        .replace("PeriodSeconds: 30", &format!("PeriodSeconds: -{huge}"))
        .replace("port: 1433", "port: 1e400");
    file("huge-numbers.yaml", text, 1);
}

// Names that would rather command the terminal.

const COMMANDING: &str = "x\\e]0;owned\\a\\e[31m\\u009b2Jyz\\r\\n";
/// Shows what follows from right to left.
const REVERSING: &str = "x\\u202ez\\u2066";

fn called(name: &str) -> String {
    let mut text = right();
    for key in ["name", "claimName"] {
        text = text.replace(&format!("{key}: harbour-sensors\n"), &format!("{key}: \"{name}\"\n"));
    }
    text =
        text.replace("type: LoadBalancer", "type: ClusterIP").replace("mountPath: /var/opt/mssql", "mountPath: /data");
    text.replace(
        "          resources:",
        &format!("            - name: \"MSSQL_DATA_DIR\"\n              value: \"/{name}\"\n          resources:"),
    )
}

#[test]
fn names_do_not_command_the_terminal() {
    file("escapes.yaml", called(COMMANDING), 1);
    file("raw-escapes.yaml", right().replace("name: tds", "name: \"\u{1b}[31mtds\""), 4);
    file("raw-reversal.yaml", right().replace("replicas: 1", "replicas: 2 # \u{202e}1 :sacilper"), 1);
    file("a-key-with-escapes.yaml", "a: 1\n\"k\\e[31m\\u202e\": 1\n\"k\\e[31m\\u202e\": 2\n", 4);
}

#[test]
fn names_in_json_do_not_command_the_terminal_either() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("a.yaml"), called(COMMANDING)).unwrap();
    let ran = run(directory.path(), &["--format", "json", "a.yaml"]);
    assert_eq!(ran.output.chars().find(|character| commands(*character) && *character != '\n'), None, "{}", ran.output);
}

/// Runs with colours although nobody looks, and makes sure that the only control sequences are colours.
fn only_colours(directory: &Path, arguments: &[OsString]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
    let command = command.current_dir(directory).env("CLICOLOR_FORCE", "1").arg("lint").args(arguments);
    let output = command.output().unwrap();
    for bytes in [output.stdout, output.stderr] {
        let text = String::from_utf8(bytes).unwrap();
        let parts = text.split('\u{1b}');
        for part in parts.skip(1) {
            let colour = part.strip_prefix('[').and_then(|part| part.split_once('m')).map(|(numbers, _)| numbers);
            let is_colour = colour
                .is_some_and(|numbers| numbers.chars().all(|character| character.is_ascii_digit() || character == ';'));
            assert!(is_colour, "{text:?}");
        }
        let other = text.chars().find(|character| commands(*character) && !['\n', '\u{1b}'].contains(character));
        assert_eq!(other, None, "{text:?}");
    }
}

#[test]
fn with_colours_names_do_not_command_the_terminal_either() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("a.yaml"), called(COMMANDING)).unwrap();
    only_colours(directory.path(), &["a.yaml".into()]);
}

#[test]
fn names_of_files_do_not_command_the_terminal() {
    let directory = TempDir::new().unwrap();
    let name = "\u{1b}]0;owned\u{7}.yaml";
    fs::write(directory.path().join(name), right().replace("replicas: 1", "replicas: 2")).unwrap();
    only_colours(directory.path(), &[name.into()]);
}

#[test]
fn names_of_missing_files_do_not_command_the_terminal() {
    only_colours(TempDir::new().unwrap().path(), &["\u{1b}]0;missing\u{7}.yaml".into()]);
}

#[test]
fn flags_do_not_command_the_terminal() {
    let directory = TempDir::new().unwrap();
    only_colours(directory.path(), &["--config".into(), "\u{1b}]0;missing\u{7}.yaml".into()]);
    only_colours(directory.path(), &["--rule".into(), "\u{1b}]0;owned\u{7}=off".into()]);
}

#[test]
fn names_do_not_reverse_what_is_shown() {
    file("reversals.yaml", called(REVERSING), 1);
}

// Secrets.

#[test]
fn no_secret_of_the_corpus_is_shown() {
    let mut secrets = 0;
    for rule in RULES {
        for case in cases(rule.id, "fail").iter().chain(&cases(rule.id, "pass")) {
            secrets += usize::from(fs::read_to_string(case.directory.join(&case.file)).unwrap().contains(SECRET));
            for format in ["human", "json"] {
                let ran = case.lint(&["--format", format]);
                assert!(!ran.output.contains(SECRET) && !ran.said.contains(SECRET), "{}: {}", case.file, ran.output);
            }
        }
    }
    assert!(secrets > 0, "no manifest of the corpus holds a secret");
}

/// The example with a literal password, and `mistake` made of it.
fn with_password(mistake: impl Fn(&str) -> String) -> String {
    let text = right();
    let (before, rest) = text.split_once("              valueFrom:").unwrap();
    let (_, after) = rest.split_once("key: password\n").unwrap();
    mistake(&format!("{before}              value: {SECRET}the-harbour-1\n{after}"))
}

#[test]
fn a_secret_beside_a_mistake_is_not_shown() {
    file(
        "secret-beside-mistakes.yaml",
        with_password(|text| {
            text.replace("replicas: 1", "replicas: 2").replace("mountPath: /var/opt/mssql", "mountPath: /data")
        }),
        1,
    );
}

#[test]
fn a_secret_on_the_line_of_a_mistake_is_not_shown() {
    let pod = format!(
        "{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{{\"name\":\"till\"}},\"spec\":{{\"containers\":[{{\"name\":\"db\",\
        \"image\":\"azure-sql-edge\",\"env\":[{{\"name\":\"MSSQL_SA_PASSWORD\",\"value\":\"{SECRET}the-till-1\"}}]}}]}}}}"
    );
    file("secret-in-one-line.json", pod, 1);
}

#[test]
fn a_secret_that_breaks_the_syntax_is_not_shown() {
    file("secret-with-a-colon.yaml", with_password(|text| text.replace("the-harbour-1", "the: harbour: 1")), 4);
    file("secret-in-open-quotes.yaml", with_password(|text| text.replace(SECRET, &format!("\"{SECRET}"))), 4);
}

#[test]
fn a_secret_that_stands_twice_is_not_shown() {
    file(
        "secret-twice.yaml",
        with_password(|text| {
            let line = format!("              value: {SECRET}the-harbour-1\n");
            text.replace(&line, &line.repeat(2))
        }),
        4,
    );
}

#[test]
fn a_directory_that_is_a_secret_is_not_shown() {
    file(
        "secret-as-a-directory.yaml",
        with_password(|text| {
            let moved = format!(
                "value: {SECRET}the-harbour-1\n            - name: MSSQL_DATA_DIR\n              value: $(MSSQL_SA_PASSWORD)\n"
            );
            text.replace(&format!("value: {SECRET}the-harbour-1\n"), &moved)
        }),
        1,
    );
}

// Paths.

#[test]
fn paths_that_lead_nowhere() {
    let directory = TempDir::new().unwrap();
    let empty = directory.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::write(empty.join("readme.txt"), right()).unwrap();
    fs::write(directory.path().join("right.yaml"), right()).unwrap();
    for (name, paths, code) in [
        ("a-directory-without-manifests", vec!["empty"], 3),
        ("a-missing-path", vec!["nowhere.yaml"], 4),
        ("a-missing-path-beside-a-right-one", vec!["right.yaml", "nowhere.yaml"], 4),
        ("an-empty-directory-beside-a-right-file", vec!["right.yaml", "empty"], 0),
    ] {
        let ran = run(directory.path(), &paths);
        assert_eq!(ran.code, code, "{}", ran.output);
        snapshot(name, &shown(directory.path(), &ran));
    }
}

#[test]
fn a_file_is_read_once_however_it_is_called() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("right.yaml"), right()).unwrap();
    for paths in [vec!["right.yaml", "right.yaml"], vec![".", "./right.yaml"], vec!["right.yaml", "."]] {
        let ran = run(directory.path(), &paths);
        assert_eq!(ran.output, "nothing is wrong: 1 workload among 3 objects in 1 file\n", "{paths:?}");
    }
}

#[test]
fn links_do_not_catch_the_search() {
    let directory = TempDir::new().unwrap();
    let inner = directory.path().join("manifests");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("right.yaml"), right()).unwrap();
    symlink(&inner, inner.join("again")).unwrap();
    symlink("self.yaml", inner.join("self.yaml")).unwrap();
    symlink("nothing-here.yaml", inner.join("dangling.yaml")).unwrap();
    let ran = run(directory.path(), &["manifests"]);
    snapshot("links", &shown(directory.path(), &ran));
    assert_eq!(ran.code, run(directory.path(), &["."]).code);
    assert_eq!(run(directory.path(), &["manifests/self.yaml"]).code, 4);
}

#[test]
fn what_cannot_be_opened_is_said() {
    let directory = TempDir::new().unwrap();
    let _socket = UnixListener::bind(directory.path().join("socket.yaml")).unwrap();
    let ran = run(directory.path(), &["socket.yaml"]);
    assert_eq!(ran.code, 4, "{}", ran.output);
    snapshot("a-socket", &shown(directory.path(), &ran));
    let locked = directory.path().join("locked.yaml");
    fs::write(&locked, right()).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    // Root reads whatever it likes.
    if File::open(&locked).is_err() {
        let ran = run(directory.path(), &["locked.yaml"]);
        assert_eq!((ran.code, ran.output.contains("permission denied")), (4, true), "{}", ran.output);
    }
}

#[test]
fn a_path_need_not_be_utf_8() {
    let directory = TempDir::new().unwrap();
    let name = OsString::from_vec(b"k\xf6nig.yaml".to_vec());
    fs::write(directory.path().join(&name), right().replace("replicas: 1", "replicas: 2")).unwrap();
    for format in ["human", "json"] {
        let ran = lint(directory.path(), &[OsString::from("--format"), format.into(), name.clone()]);
        assert_eq!(ran.code, 1, "{}", ran.output);
        assert!(ran.output.contains("k\u{fffd}nig.yaml"), "{}", ran.output);
    }
    assert_eq!(run(directory.path(), &["."]).code, 1);
}

// Flags and settings.

#[test]
fn mistakes_in_flags_are_said_with_the_nearest_name() {
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("right.yaml", &right());
    write("unknown.yaml", "policy:\n  failoverSecond: 60\n");
    write("unknown-part.yaml", "polcy:\n  mode: validate\n");
    write("unknown-rule.yaml", "policy:\n  rules:\n    single-replicas: warn\n");
    write("wrong-type.yaml", "policy:\n  failoverSeconds: soon\n");
    write("broken.yaml", "policy: [\n");
    write("list.yaml", "- policy\n");
    let flags: [&[&str]; 15] = [
        &["--rule", "single-replicas=off"],
        &["--rule", "single-replica=of"],
        &["--rule", "single-replica"],
        &["--rule", "single-replica=mutate"],
        &["--rule", "=off"],
        &["--engine", "sqledge"],
        &["--format", "yaml"],
        &["--fail-on", "info"],
        &["--partiel"],
        &["--config", "unknown.yaml"],
        &["--config", "unknown-part.yaml"],
        &["--config", "unknown-rule.yaml"],
        &["--config", "wrong-type.yaml"],
        &["--config", "broken.yaml"],
        &["--config", "nowhere.yaml"],
    ];
    let mut text = String::new();
    for flags in flags.into_iter().chain([&["--config", "list.yaml"] as &[&str]]) {
        let ran = run(directory.path(), &[flags, &["right.yaml"]].concat());
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{flags:?}");
        text.push_str(&format!(
            "$ sqledge-ha lint {} right.yaml\n{}[exit code {}]\n\n",
            flags.join(" "),
            ran.said,
            ran.code
        ));
    }
    snapshot("mistakes-in-flags", &text);
}

#[test]
fn empty_settings_are_the_defaults() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("right.yaml"), right()).unwrap();
    for text in
        ["", "# nothing\n", "policy:\n", "policy: {}\n", "{}\n", "policy: {rules: {}, engines: [], mode: \"\"}\n"]
    {
        fs::write(directory.path().join("settings.yml"), text).unwrap();
        let ran = run(directory.path(), &["--config", "settings.yml", "right.yaml"]);
        assert_eq!(ran.code, 0, "{text:?} {}{}", ran.output, ran.said);
    }
}

#[test]
fn an_engine_that_is_not_governed_is_not_green() {
    file("sql-server-only.yaml", right().replace("azure-sql-edge:1.0.7", "mssql/server:2022-latest"), 3);
    file("no-engine.yaml", right().replace("azure-sql-edge:1.0.7", "web-shop:3").replace("ACCEPT_EULA", "LICENCE"), 3);
}

// Size, and readers that go away.

#[test]
fn a_large_file_of_many_documents_is_judged() {
    const BYTES: usize = 200_000_000;
    let directory = TempDir::new().unwrap();
    let mut writer = BufWriter::new(File::create(directory.path().join("large.yaml")).unwrap());
    let (mut written, mut count) = (0, 0);
    while written < BYTES {
        let document = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: price-list-{count}\ndata:\n  prices: |\n    apple 1.20\n    plum 0.80\n---\n"
        );
        writer.write_all(document.as_bytes()).unwrap();
        (written, count) = (written + document.len(), count + 1);
    }
    writer.write_all(right().replace("replicas: 1", "replicas: 2").as_bytes()).unwrap();
    writer.flush().unwrap();
    drop(writer);
    let start = Instant::now();
    let ran = run(directory.path(), &["large.yaml"]);
    // Past the test harness, which keeps what tests print to itself. How fast it has to be is the benchmarks' business.
    let _ = writeln!(std::io::stderr(), "200 MB, {count} documents: {:.1} s", start.elapsed().as_secs_f32());
    assert_eq!(ran.code, 1, "{}", ran.output);
    assert!(ran.output.ends_with(&format!("1 workload among {} objects in 1 file\n", count + 3)), "{}", ran.output);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let directory = TempDir::new().unwrap();
    let wrong = right().replace("replicas: 1", "replicas: 2");
    let many: String =
        (0..2000).map(|number| wrong.replace("harbour-sensors", &format!("harbour-{number}")) + "---\n").collect();
    fs::write(directory.path().join("many.yaml"), many).unwrap();
    for format in ["human", "json"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sqledge-ha"));
        command.current_dir(directory.path()).args(["lint", "--format", format, "many.yaml"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        // Reads one line and closes the pipe.
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(said, "", "{format}");
        assert!(matches!(status.code(), Some(0 | 1)), "{format}: {status}");
    }
}

#[test]
fn standard_input_may_be_empty_or_closed() {
    let directory = TempDir::new().unwrap();
    let ran = run(directory.path(), &["-"]);
    assert_eq!(ran.code, 3, "{}", ran.output);
    snapshot("nothing-on-standard-input", &shown(directory.path(), &ran));
}
