//! An ignore entry of the configuration.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use sqledge_ha_policy::kubernetes::DEFAULT_NAMESPACE;

use super::{IgnoreEffect, Ignores, Validity};
use crate::linter::{LintedFile, LocatedFinding, ObjectId};

/// An ignore entry: it hides findings of some rules, in some files or objects.
#[derive(Clone, Debug)]
pub struct IgnoreEntry {
    /// The rules.
    pub rules: Vec<&'static str>,
    /// The files; `None` for all.
    pub paths: Option<Arc<dyn PathFilter>>,
    /// The objects; empty for all.
    pub objects: Vec<ObjectPattern>,
    /// How long it is valid, and why it exists.
    pub validity: Validity,
    /// Where it is: `file:line:column`.
    pub location: String,
}

/// Selects files.
pub trait PathFilter: Debug + Send + Sync {
    /// Whether it selects the file at a path.
    fn selects(&self, path: &Path) -> bool;
}

/// Selects objects by the parts that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPattern {
    /// The kind.
    pub kind: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The name.
    pub name: Option<String>,
}

impl ObjectPattern {
    /// Whether it selects an object. One that names no namespace is in `default_namespace`.
    fn selects(&self, object: &ObjectId, default_namespace: &str) -> bool {
        let is_same = |pattern: &Option<String>, name: Option<&str>| {
            pattern.as_deref().is_none_or(|pattern| Some(pattern) == name)
        };
        is_same(&self.kind, object.kind.as_deref())
            && is_same(&self.namespace, Some(object.namespace.as_deref().unwrap_or(default_namespace)))
            && is_same(&self.name, object.name.as_deref())
    }
}

impl IgnoreEntry {
    /// Whether it names a rule and an object. Does not depend on files, so that it also holds for objects of a cluster.
    fn names(&self, rule: &str, object: &ObjectId, default_namespace: &str) -> bool {
        let selects = |pattern: &ObjectPattern| pattern.selects(object, default_namespace);
        self.rules.contains(&rule) && (self.objects.is_empty() || self.objects.iter().any(selects))
    }
}

impl Ignores {
    /// Whether an entry without paths hides the finding of a rule on an object of a cluster.
    pub fn hide_in_cluster(&self, rule: &str, object: &ObjectId) -> bool {
        self.entries.iter().any(|entry| {
            entry.paths.is_none()
                && !entry.validity.has_expired(self.today)
                && entry.names(rule, object, DEFAULT_NAMESPACE)
        })
    }
}

/// Finds the entries that apply to findings.
pub(super) struct EntryMatcher<'i> {
    ignores: &'i Ignores,
    files: &'i [LintedFile],
    /// The last path, and whether each entry selects it: most findings of a file are consecutive.
    last: Option<(&'i Path, Vec<bool>)>,
    used: BTreeSet<usize>,
}

impl<'i> EntryMatcher<'i> {
    pub(super) fn new(ignores: &'i Ignores, files: &'i [LintedFile]) -> Self {
        EntryMatcher { ignores, files, last: None, used: BTreeSet::new() }
    }

    /// The effect of the entries on the finding. Every one that hides it counts as used.
    pub(super) fn effect(&mut self, located: &LocatedFinding) -> IgnoreEffect {
        let Ignores { today, entries, .. } = self.ignores;
        let namespace = self.files.get(located.file).map_or(DEFAULT_NAMESPACE, |file| file.namespace.as_str());
        let mut effect = IgnoreEffect::No;
        for (index, entry) in entries.iter().enumerate() {
            if !entry.names(located.finding.rule, &located.object, namespace) || !self.is_in_paths(index, located) {
                continue;
            }
            self.used.insert(index);
            effect = effect.or(if entry.validity.has_expired(*today) {
                IgnoreEffect::Expired(
                    entry.validity.describe_expiry(&format!("the ignore entry at {}", entry.location)),
                )
            } else {
                IgnoreEffect::Yes
            });
        }
        effect
    }

    /// The indices of the entries that hide a finding, or would if they had not expired.
    pub(super) fn into_used(self) -> BTreeSet<usize> {
        self.used
    }

    fn is_in_paths(&mut self, index: usize, located: &LocatedFinding) -> bool {
        let entries = &self.ignores.entries;
        if entries.get(index).is_none_or(|entry| entry.paths.is_none()) {
            return true;
        }
        let Some(file) = self.files.get(located.file) else { return false };
        paths_of(file, located).into_iter().any(|path| {
            let last = self.last.take().filter(|(last, _)| *last == path);
            let selects = |entry: &IgnoreEntry| entry.paths.as_ref().is_none_or(|paths| paths.selects(path));
            let (_, selected) = self.last.insert(last.unwrap_or_else(|| (path, entries.iter().map(selects).collect())));
            selected.get(index).copied().unwrap_or_default()
        })
    }
}

/// The paths of a finding: that of the file, or those of the files that a rendered manifest comes from. Standard input
/// has none.
fn paths_of<'f>(file: &'f LintedFile, located: &LocatedFinding) -> Vec<&'f Path> {
    let Some((origin, _)) = file.rendered.as_ref().and_then(|rendered| rendered.origin(located.span.start)) else {
        return file.path.as_deref().into_iter().collect();
    };
    let sources = origin.sources.iter().map(|source| source.name.as_str());
    std::iter::once(origin.file.as_str()).chain(sources).map(Path::new).collect()
}
