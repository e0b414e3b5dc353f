//! `e2e/PROOF.md`: what was found, for people to read.
//!
//! Times differ from run to run; everything else must be found again as it is written there.

use std::fs;
use std::path::Path;

use crate::ledger::{Table, rows};
use crate::shared::{folder, skipped};

const INTRODUCTION: &str = "\
# What survives, and what would not have

Made by `make proof`, which runs everything below on a real Kubernetes 1.37 control plane (API server, controllers,
scheduler, `kubectl`) with the webhook registered by its own manifests and `failurePolicy: Fail`. `make test` runs it
again and fails if anything but a time differs.

Machines, storage and load balancers are faked: [`e2e/cluster`](cluster/README.md) says how. No engine runs, so that a
\"ready\" pod is one whose node says so. What takes minutes is shortened: a node counts as dead after 5 s of silence (40
to 50 s in a real cluster), a pod that says nothing stays on it for 4 s more (300 s), starting takes 0.3 s, stopping 1 or
2 s. Times are those of one run on two cores beside five others; they show order and size, not performance.

Five promises are judged from watches alone, over the whole story:

- **one writer**: never two running pods with the same claim mounted writable;
- **amd64 only**: the engine never runs on a node that is not amd64;
- **same data**: every pod finds the database files in the same directory of the same volume;
- **same address**: clients outside the cluster find the Service at one address;
- **comes back**: a pod that can be reached at the engine's port is there again.
";

const SECTIONS: [(&str, &str, &str, Table); 6] = [
    (
        "What is admitted survives",
        "All five promises were kept in every one of these stories.",
        "| what happens | to what | without endpoint for | most writers at once | node |\n|---|---|---|---|---|\n",
        Table::Survives,
    ),
    (
        "Microsoft's sample, as it is and as it is admitted",
        "The sample of Microsoft's documentation for SQL Edge, applied without the webhook and with it.",
        "| what happens | as it is | mended at admission |\n|---|---|---|\n",
        Table::Microsoft,
    ),
    (
        "What each rule is for",
        "A manifest in which only this is wrong, run without the webhook to the failure that it causes. It breaks the \
         promise named here and no other; with the webhook it is refused, or mended.",
        "| rule | what the manifest says | what happens | without the webhook | with it |\n|---|---|---|---|---|\n",
        Table::Necessity,
    ),
    (
        "What Kubernetes does not promise",
        "Some things no rule can mend.",
        "| what happens | what was seen | what helps |\n|---|---|---|\n",
        Table::Limits,
    ),
    (
        "What the API server takes",
        "Every manifest, sent to the API server with the webhook and to another without. Nothing that was valid became \
         invalid; of what is stored nothing is left to mend; updates that change nothing were not mended again, and no \
         label started a rollout. *Rescued* is what the API server would have refused without the mend.",
        "| source | files | objects stored unchanged | mended | rescued | refused by a rule | refused by the API server, \
         with and without | not sent |\n|---|---|---|---|---|---|---|---|\n",
        Table::Acceptance,
    ),
    (
        "The reviews behind it",
        "Every review that the API servers sent in these stories, replayed: the rules, the module and the linter decided \
         alike, and no controller and no kubelet was ever refused, but for scaling.",
        "| reviews | different ones |\n|---|---|\n",
        Table::Reviews,
    ),
];

fn document() -> String {
    let mut document = INTRODUCTION.to_owned();
    for (title, text, head, table) in SECTIONS {
        document.push_str(&format!("\n## {title}\n\n{text}\n\n{head}{}", rows(table)));
    }
    document
}

/// Without what differs from run to run: times, and how many reviews there were.
fn lasting(document: &str) -> String {
    let lines =
        document.lines().filter(|line| !line.trim_matches(['|', ' ', '\n']).starts_with(|c: char| c.is_ascii_digit()));
    let mut lasting = String::new();
    for line in lines {
        let mut words: Vec<&str> = line.split(' ').collect();
        for index in 1..words.len() {
            let number = words[index - 1].trim_start_matches(['(', '*']);
            if is_unit(words[index]) && number.parse::<f64>().is_ok() {
                words[index - 1] = "…";
            }
        }
        lasting.push_str(&words.join(" "));
        lasting.push('\n');
    }
    lasting
}

fn is_unit(word: &str) -> bool {
    word.trim_end_matches([',', ';', ')', '.', ':']) == "s"
}

/// Compares the document with what was found in this run, or writes it. Where the real manifests are not there it does
/// neither: the document tells of them.
pub(crate) fn is_what_was_found() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/PROOF.md");
    let found = document();
    let latest = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/proof");
    fs::create_dir_all(&latest).unwrap();
    fs::write(latest.join("PROOF.md"), &found).unwrap();
    if ["wild", "reference"].into_iter().any(|name| folder(name).is_none()) {
        skipped("e2e/PROOF.md is neither compared nor written: it tells of manifests that are not there");
        return;
    }
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let held = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(lasting(&held), lasting(&found), "e2e/PROOF.md is stale: run `make proof`");
}
