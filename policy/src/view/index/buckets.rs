//! Buckets of objects that have something in common, by the hash of it.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::LazyLock;

use crate::kubernetes::objects::Volume;

/// The hash of what objects of a bucket have in common.
pub(super) type BucketKey = u64;

/// What objects of a bucket have in common.
#[derive(Hash)]
pub(super) enum Bucket<'b> {
    /// Pods with a label, or Services that select it; without one, all of a namespace.
    Label {
        namespace: &'b str,
        label: Option<(&'b str, &'b str)>,
    },
    /// Pods with a label that may get others while they run.
    RunTimeLabels {
        namespace: &'b str,
        label: (&'b str, &'b str),
    },
    /// Pods that mount a claim.
    Claim {
        namespace: &'b str,
        claim: &'b str,
    },
    Autoscalers {
        namespace: &'b str,
    },
    /// TCPRoutes that lead to Services of a namespace.
    Routes {
        namespace: &'b str,
    },
    /// Rollouts that run the pods of a Deployment.
    Rollouts {
        namespace: &'b str,
        deployment: &'b str,
    },
    /// PersistentVolumes that are reserved for a claim.
    VolumesForClaim {
        namespace: &'b str,
        claim: &'b str,
    },
    /// The others of a StorageClass; without a name, those without one.
    VolumesOfClass {
        class: &'b str,
    },
    DefaultStorageClasses,
    Nodes,
}

impl Bucket<'_> {
    /// Its key, which another bucket may have, too.
    pub(super) fn key(&self) -> BucketKey {
        /// One for all indexes, because entries are read before their index exists.
        static HASH: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        HASH.hash_one(self)
    }
}

/// A volume can be reserved for one claim.
pub(super) fn volume_bucket<'a>(volume: &Volume<'a>) -> Bucket<'a> {
    match volume.reserved_for() {
        Some((namespace, claim)) => Bucket::VolumesForClaim { namespace, claim },
        None => Bucket::VolumesOfClass { class: volume.class_name() },
    }
}

/// Objects by bucket, in one sorted vector: quick to build, and in the order of insertion within a bucket. Two buckets
/// may share a key, so that a bucket can contain other objects.
#[derive(Debug)]
pub(super) struct Buckets<T> {
    objects: Vec<T>,
    /// The keys, with positions in `objects`.
    keys: Vec<(BucketKey, u32)>,
}

impl<T> Default for Buckets<T> {
    fn default() -> Self {
        Buckets { objects: Vec::new(), keys: Vec::new() }
    }
}

impl<T: Copy> Buckets<T> {
    /// Adds an object to the buckets with these keys.
    pub(super) fn insert(&mut self, keys: &[BucketKey], object: T) {
        // More objects would not fit into memory.
        let position = u32::try_from(self.objects.len()).unwrap_or(u32::MAX);
        self.objects.push(object);
        self.keys.extend(keys.iter().map(|key| (*key, position)));
    }

    /// All objects, in the order of insertion.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.objects.iter()
    }

    /// Makes the buckets searchable, when all objects are in.
    pub(super) fn sort(&mut self) {
        self.keys.sort_unstable();
    }

    fn positions(&self, bucket: &Bucket<'_>) -> &[(BucketKey, u32)] {
        let wanted = bucket.key();
        let start = self.keys.partition_point(|(key, _)| *key < wanted);
        let rest = self.keys.get(start..).unwrap_or_default();
        rest.get(..rest.partition_point(|(key, _)| *key == wanted)).unwrap_or_default()
    }

    /// The number of objects in a bucket.
    pub(super) fn len(&self, bucket: &Bucket<'_>) -> usize {
        self.positions(bucket).len()
    }

    /// The objects in a bucket.
    pub(super) fn bucket(&self, bucket: &Bucket<'_>) -> impl Iterator<Item = T> + use<'_, T> {
        self.positions(bucket).iter().filter_map(|(_, position)| self.objects.get(*position as usize).copied())
    }
}
