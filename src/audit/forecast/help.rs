//! What to do about risks that several failures have.

/// The pod has no controller.
pub(super) const USE_CONTROLLER: &str =
    "run it in a StatefulSet or a Deployment; see `sqledge-ha explain steady-controller`";

/// Files are in the container, or in a volume of the pod.
pub(super) const KEEP_FILES_ON_CLAIM: &str =
    "keep all database files on a claim; see `sqledge-ha explain persistent-data`";

/// Files are on the node.
pub(super) const USE_PORTABLE_STORAGE: &str =
    "use storage that moves with the pod; see `sqledge-ha explain portable-storage`";

/// Two pods can use a volume.
pub(super) const USE_EXCLUSIVE_CLAIM: &str =
    "use a claim with ReadWriteOncePod, or a StatefulSet; see `sqledge-ha explain pod-exclusive-claim`";
