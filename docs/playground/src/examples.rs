//! Texts to begin with.

use serde::Serialize;

/// A text to begin with.
#[derive(Debug, Serialize)]
pub(crate) struct Example {
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
}

/// The examples, in the order of the menu. The first one is shown at the start.
pub(crate) static EXAMPLES: [Example; 7] = [
    Example { title: "The shape of Microsoft's sample", text: include_str!("../examples/shape-of-the-sample.yaml") },
    Example {
        title: "A claim beside the data directory",
        text: include_str!("../../../e2e/examples/claim-beside-the-data.yaml"),
    },
    Example { title: "Databases on an emptyDir", text: include_str!("../../../e2e/examples/empty-dir.yaml") },
    Example {
        title: "Two replicas and a rolling update",
        text: include_str!("../../../e2e/examples/two-replicas-rolling.yaml"),
    },
    Example { title: "A ClusterIP Service alone", text: include_str!("../../../e2e/examples/cluster-ip-only.yaml") },
    Example { title: "A correct Deployment", text: include_str!("../../../e2e/examples/right.yaml") },
    Example { title: "A correct StatefulSet", text: include_str!("../../../e2e/examples/right-stateful-set.yaml") },
];
