//! Writes `e2e/PROOF.md`, or checks it: only times may differ from run to run.

use std::fs;
use std::path::Path;

use crate::results::{Table, rows};
use crate::shared::{folder, skipped};

const INTRODUCTION: &str = "\
# Proof: which databases survive failures

`make proof` writes this page. It runs all scenarios below on a Kubernetes 1.37 control plane (API server, controllers,
scheduler, `kubectl`) with the webhook installed by its own manifests, where workloads have `failurePolicy: Fail`.
`make test-long` runs them again, and fails if anything but a time differs.

Nodes, storage and load balancers are fakes, described in [`e2e/cluster`](cluster/README.md). SQL Edge itself does not run:
a pod is ready when the fake node reports so. Long times are shortened: a node fails after 5 s without a heartbeat (40 to
55 s in a real cluster), pods without a toleration of their own are evicted 4 s later (300 s), a container starts in 0.3 s
and stops in 1 or 2 s. The times are from one run on two cores with five scenarios in parallel. They show the order of
events, not performance.

Each scenario checks five guarantees from beginning to end, and uses only watches:

- **one writer**: no two running pods have mounted the same claim with write access;
- **amd64 only**: SQL Edge runs on amd64 nodes only;
- **same data**: every pod has its database files in the same directory of the same volume;
- **same address**: clients outside the cluster reach the Service at one address;
- **comes back**: in the end, clients can connect to the port of SQL Edge.
";

const SECTIONS: [(&str, &str, &str, Table); 16] = [
    (
        "Admitted databases survive",
        "All five guarantees held in every scenario.",
        "| event | workload | without endpoint for | most writers at once | node |\n|---|---|---|---|---|\n",
        Table::Survives,
    ),
    (
        "Microsoft's sample, without and with the webhook",
        "The sample in Microsoft's documentation for SQL Edge.",
        "| event | without the webhook | mutated at admission |\n|---|---|---|\n",
        Table::Microsoft,
    ),
    (
        "The failures that rules prevent",
        "For rules that reject or mutate by default, except `kernel-compatible`, which depends on the kernels of the nodes. \
         Each manifest breaks one rule. Without the webhook, it runs until it breaks one guarantee, named here, and no \
         other; *not shown* says what these clusters lack for that. With the webhook, it is rejected or mutated, unless the \
         last column says otherwise.",
        "| rule | manifest | event | without the webhook | with the webhook |\n|---|---|---|---|---|\n",
        Table::Necessity,
    ),
    (
        "What Kubernetes does not guarantee",
        "No rule can prevent these failures.",
        "| event | result | remedy |\n|---|---|---|\n",
        Table::Limits,
    ),
    (
        "Foretold and observed",
        "`sqledge-ha audit` foretold each failure for databases of several kinds: ten made by hand, and five drawn for each \
         failure by a generator with a fixed seed. Then the failure was caused. A forecast with *may* depends on what the cluster \
         decides, such as the node that the scheduler chooses: there the last column has everything that is possible, and one of \
         it happened. On a node that loses its network the containers run on: where two servers are foretold, both ran, and the \
         old one stopped when the network was back.",
        "| failure | database | foretold | observed |\n|---|---|---|---|\n",
        Table::Forecasts,
    ),
    (
        "Nodes that can take a pod",
        "Which nodes can take a pod, as `sqledge-ha audit` computes it from labels, taints, cordons, selectors, affinity, tolerations \
         and requests, beside what the scheduler then decided, for drawn nodes and pods.",
        "| decisions | result |\n|---|---|\n",
        Table::Scheduler,
    ),
    (
        "Objects that the API server accepts",
        "Every manifest, sent to an API server with the webhook and to one without. No valid object became invalid. No \
         stored object needs another mutation, also after an update without changes. A new label starts no rollout. \
         *Made valid* counts objects that the API server rejects without the mutation.",
        "| source | files | objects stored unchanged | mutated | made valid | rejected by a rule | rejected by the API \
         server, with and without | not sent |\n|---|---|---|---|---|---|---|---|\n",
        Table::Acceptance,
    ),
    (
        "Orders of arrival",
        "A workload (W) and its headless (H), ClusterIP (C) and LoadBalancer Service (L) were applied one after the other, in \
         every order, and then all of them again. All of them have what a user writes for them. The outcome was the same for \
         a Deployment and a StatefulSet, with client-side and with server-side apply. Nothing was rejected. The second apply \
         changed no field of any object, not even its resource version.",
        "| orders | W | H | C | L | the second apply |\n|---|---|---|---|---|---|\n",
        Table::Arrivals,
    ),
    (
        "GitOps",
        "The engine of Argo CD and the server-side apply of Flux, as the libraries that they publish, applied Microsoft's \
         sample and the corpus of the rules that mutate by default, then applied them again and compared. Workloads came \
         first, so that ClusterIP Services are mutated. Only fields that a manifest states otherwise differ, except with \
         the structured-merge diff, which Argo CD has discontinued: there, maps and lists differ to which a mutation or a \
         default adds. The last column is with the fields ignored that `sqledge-ha webhook gitops` prints. What differs is \
         applied again at every self-heal, without effect.",
        "| controller | apply and comparison | objects | the second apply changes | differs for ever | differs, if ignored \
         |\n|---|---|---|---|---|---|\n",
        Table::GitOps,
    ),
    (
        "From RollingUpdate to Recreate with server-side apply",
        "A live Deployment was applied server-side without a strategy, so that nobody owns the `rollingUpdate` that the API \
         server added. Then its manifest says `type: Recreate`.",
        "| applied by | without the webhook | with the webhook |\n|---|---|---|\n",
        Table::Trap,
    ),
    (
        "Operators",
        "An operator owns a StatefulSet by a custom resource, leaves out what the rules add, and writes its whole spec whenever \
         the stored one differs, ten times a second.",
        "| setting | the operator writes | generation in the end | result |\n|---|---|---|---|\n",
        Table::Operator,
    ),
    (
        "From nothing to enforcement and out again",
        "The commands of `docs/install-webhook.md`, one after the other: `webhook manifests --mode warn`, the label \
         `sqledge-ha/mode: enforce` for one of two namespaces, `--mode enforce`, and the removal. All the while, clients \
         created, changed, scaled and deleted applications in both namespaces. A cell has the outcome of all requests in that \
         part. Each of them is what the linter says of the same manifests: in mode `warn` every error is a warning and the \
         object is stored as without the webhook, and with enforcement the rules that can add what is missing mutate, and the \
         others reject. What ran before goes on: an update of an old database is not rejected for what it already had. In the \
         end, no object in the cluster has the name or a label of the webhook.",
        "| application | request | before | `--mode warn` | the namespace with the label | the other namespace | `--mode \
         enforce` | removed |\n|---|---|---|---|---|---|---|---|\n",
        Table::Journey,
    ),
    (
        "A look at the effect before enforcement",
        "What `sqledge_ha_rule_hits_total` and the log said of the part with `--mode warn`. The numbers are those of the \
         answers. The log has a line for each request that would be rejected.",
        "| rule | action | metric | log |\n|---|---|---|---|\n",
        Table::WouldHappen,
    ),
    (
        "The load in these parts",
        "While a command took effect, requests had the outcome of the part before or after it.",
        "| requests | other outcomes |\n|---|---|\n",
        Table::JourneyLoad,
    ),
    (
        "The webhook is updated under load",
        "Two replicas, and clients that create and change databases and Services and scale a database, without a pause. \
         Every webhook has `failurePolicy: Fail`. A new replica becomes ready, and an old one gets SIGTERM at the same time. \
         Connections still go to the old one, and none to the new one, for another 2 s, as with kube-proxy. Every answer was \
         the right one: mutated, or rejected by `single-replica`, which needs a look-up.",
        "| event | requests | without an answer | the longest request | |\n|---|---|---|---|---|\n",
        Table::RollingUpdate,
    ),
    (
        "Replayed reviews",
        "All reviews that the API servers sent in these scenarios, replayed. The rules, the module and the linter gave the \
         same answers. No request of a controller or kubelet was rejected, except for scaling.",
        "| reviews | distinct |\n|---|---|\n",
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

/// The document without the parts that differ from run to run: times, and the number of reviews.
fn without_times(document: &str) -> String {
    let lines =
        document.lines().filter(|line| !line.trim_matches(['|', ' ', '\n']).starts_with(|c: char| c.is_ascii_digit()));
    let mut without_times = String::new();
    for line in lines {
        let mut words: Vec<&str> = line.split(' ').collect();
        for index in 1..words.len() {
            let number = words[index - 1].trim_start_matches(['(', '*']);
            if is_unit(words[index]) && number.parse::<f64>().is_ok() {
                words[index - 1] = "…";
            }
        }
        without_times.push_str(&words.join(" "));
        without_times.push('\n');
    }
    without_times
}

fn is_unit(word: &str) -> bool {
    ["s", "requests", "reviews", "times", "lines"].contains(&word.trim_end_matches([',', ';', ')', '.', ':']))
}

/// Compares the document with the results of this run, or writes it. Without the published manifests it does neither,
/// because the document has results for them.
pub(crate) fn is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/PROOF.md");
    let found = document();
    let latest = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/proof");
    fs::create_dir_all(&latest).unwrap();
    fs::write(latest.join("PROOF.md"), &found).unwrap();
    if ["wild", "reference"].into_iter().any(|name| folder(name).is_none()) {
        skipped("e2e/PROOF.md is neither compared nor written, because some published manifests are missing");
        return;
    }
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let current = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(without_times(&current), without_times(&found), "e2e/PROOF.md is stale: run `make proof`");
}
