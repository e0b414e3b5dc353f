//! One admission request, one verdict: when rules are asked at all, and what becomes of their findings.
//!
//! The way of a request: cheap exits on kind, operation and raw text ([`review`]) → the objects are parsed and the
//! exits that need them taken (`passes_unseen`) → the rules judge ([`rules::judge`]) → what stood before is let pass, what
//! would restart a pod unasked is left alone (`temper`) → the findings become a [`Verdict`].

use std::borrow::Cow;

use serde_json::Value;

use crate::cluster::{Cluster, Lookup, Narrow, Resource};
use crate::finding::{Action, Finding, Findings};
use crate::kind::{Kind, has_judged_owner};
use crate::node::{Node, push_key, reach};
use crate::relevance::may_run_engine;
use crate::request::{Members, Request, Unreadable, parse_payload, parse_value};
use crate::rules;
use crate::settings::{Mode, Settings};
use crate::subject::{DEFAULT_NAMESPACE, Subject, Target, namespace_of};
use crate::verdict::Verdict;
use crate::workload::Workload;

/// Answers what a host sends: `{"request": …, "settings": …}`. Any bytes get an answer.
pub fn validate(payload: &[u8], cluster: &dyn Cluster) -> Verdict {
    match try_validate(payload, cluster) {
        Ok(verdict) => verdict,
        Err(message) => Verdict::failure(message),
    }
}

fn try_validate(payload: &[u8], cluster: &dyn Cluster) -> Result<Verdict, String> {
    let unreadable = |error: Unreadable| error.to_string();
    let (request, settings) = parse_payload(payload).map_err(unreadable)?;
    let settings = match settings {
        Some(text) => {
            let value = parse_value(text, "the settings").map_err(unreadable)?;
            Settings::from_value(&value).map_err(|message| format!("the settings are not valid: {message}"))?
        }
        None => Settings::default(),
    };
    review(&request, settings, cluster).map_err(unreadable)
}

/// Judges one admission request.
///
/// # Errors
/// [`Unreadable`] if an object that has to be judged is not JSON, or nested deeper than 128 levels.
pub fn review(request: &Request<'_>, mut settings: Settings, cluster: &dyn Cluster) -> Result<Verdict, Unreadable> {
    let Some(Concern { kind, raw, raw_old }) = Concern::read(request, &settings)? else { return Ok(Verdict::accept()) };
    let object = parse_value(raw, "the object")?;
    let old = raw_old.map(|raw| parse_value(raw, "the old object")).transpose()?;
    if passes_unseen(&object, old.as_ref()) {
        return Ok(Verdict::accept());
    }
    // Only a live object has a resourceVersion when it is created: this is the audit scanner, which sees everything
    // and patches nothing.
    let is_audit = request.operation == "CREATE" && reach(&object, &["metadata", "resourceVersion"]).is_some();
    let world = World { cluster, closed: is_audit || cluster.closed() };
    if is_audit {
        settings.mode = Mode::Validate;
    }
    Ok(match kind {
        Kind::Scale => review_scale(request, &object, old.as_ref(), &settings, &world),
        _ => review_object(request, kind, object, old.as_ref(), &settings, &world),
    })
}

/// Whether a request has to be looked into at all: most are accepted for their kind, their operation, or because their
/// text cannot name an engine. A host that knows this module can ask natively, and spare itself the call.
///
/// # Errors
/// [`Unreadable`] if the objects are no JSON.
pub fn concerns(request: &Request<'_>, settings: &Settings) -> Result<bool, Unreadable> {
    Ok(Concern::read(request, settings)?.is_some())
}

/// What of a request has to be looked into.
struct Concern<'a> {
    kind: Kind,
    raw: &'a str,
    raw_old: Option<&'a str>,
}

impl<'a> Concern<'a> {
    /// Takes the cheap exits; `None` if the request passes without a word.
    fn read(request: &Request<'a>, settings: &Settings) -> Result<Option<Self>, Unreadable> {
        let Some(kind) = Kind::of(&request.group, &request.kind) else { return Ok(None) };
        let (Some(raw), true) = (request.object, is_judged_operation(request, kind)) else { return Ok(None) };
        if kind.pod_template().is_some() && !may_run_engine(raw, settings) {
            return Ok(None);
        }
        let raw_old = request.old_object.filter(|_| request.operation == "UPDATE");
        let is_unchanged = raw_old.map_or(Ok(false), |raw_old| same_body(raw, raw_old))?;
        Ok((!is_unchanged).then_some(Concern { kind, raw, raw_old }))
    }
}

/// Whether the request creates or changes an object itself, or scales it.
fn is_judged_operation(request: &Request<'_>, kind: Kind) -> bool {
    let sub_resource = match &*request.sub_resource {
        "" => kind != Kind::Scale,
        "scale" => kind == Kind::Scale,
        _ => false,
    };
    sub_resource && matches!(&*request.operation, "CREATE" | "UPDATE")
}

/// Whether two objects say the same where the rules look, byte for byte: the API server writes equal values alike.
fn same_body(new: &str, old: &str) -> Result<bool, Unreadable> {
    let new = Members::parse(new, "the object")?;
    let old = Members::parse(old, "the old object")?;
    Ok(BODY.iter().all(|part| new.raw(part) == old.raw(part)))
}

/// What the rules look at: `template` is the body of a PodTemplate.
const BODY: [&str; 2] = ["spec", "template"];

/// Whether nothing that is judged changes, or the object is on its way out, or its owner was judged.
fn passes_unseen(object: &Value, old: Option<&Value>) -> bool {
    let unchanged = old.is_some_and(|old| BODY.iter().all(|part| object.get(part) == old.get(part)));
    let is_terminating = reach(object, &["metadata", "deletionTimestamp"]).is_some_and(|time| !time.is_null());
    unchanged || is_terminating || has_judged_owner(object)
}

fn review_object(
    request: &Request<'_>,
    kind: Kind,
    object: Value,
    old: Option<&Value>,
    settings: &Settings,
    world: &World<'_>,
) -> Verdict {
    let Some(subject) = subject(request, kind, &object, settings, world) else { return Verdict::accept() };
    let subject = subject.after(old);
    let mut findings = rules::judge(&subject);
    if let Some(old) = old {
        let before = self::subject(request, kind, old, settings, world).map(|subject| rules::judge(&subject));
        temper(&mut findings, &before.unwrap_or_default(), &Update { kind, object: &object, old });
    }
    let unchecked = subject.unchecked();
    let mended = rules::mended(object, &findings);
    Verdict::from_findings(&findings, mended, &unchecked)
}

fn subject<'a>(
    request: &'a Request<'_>,
    kind: Kind,
    object: &'a Value,
    settings: &'a Settings,
    world: &'a World<'_>,
) -> Option<Subject<'a>> {
    let subject = Subject::read(object, kind, settings, world)?;
    Some(match &*request.namespace {
        "" => subject,
        namespace => subject.in_namespace(namespace),
    })
}

/// An UPDATE of an object.
struct Update<'a> {
    kind: Kind,
    object: &'a Value,
    old: &'a Value,
}

/// Takes the edge off what an UPDATE did not bring about: what stood identically in the old object is no longer
/// refused, and a pod template that the request leaves alone is not mended, because that would restart the pod.
fn temper(findings: &mut Findings, before: &[Finding], update: &Update<'_>) {
    for finding in findings {
        let stood = before.iter().any(|old| old.says_the_same(finding));
        let leave_alone = match finding.action {
            Action::Reject => stood,
            Action::Mutate => !update.may_be_mended(finding),
            Action::Warn | Action::Off => false,
        };
        if leave_alone {
            finding.action = Action::Warn;
        }
    }
}

impl Finding {
    fn says_the_same(&self, other: &Finding) -> bool {
        self.rule == other.rule
            && self.message == other.message
            && self.reason == other.reason
            && names(&self.pointer).eq(names(&other.pointer))
    }
}

/// The keys of a pointer without the positions in arrays, which move when something is put in before.
fn names(pointer: &str) -> impl Iterator<Item = &str> {
    pointer.split('/').filter(|key| !key.starts_with(|first: char| first.is_ascii_digit()))
}

impl Update<'_> {
    fn may_be_mended(&self, finding: &Finding) -> bool {
        let edits = finding.safe_edits().unwrap_or_default();
        !edits.iter().any(|edit| self.is_frozen(edit.pointer()))
    }

    /// Whether a change at `pointer` would be refused by the API server, or would restart a pod unasked.
    fn is_frozen(&self, pointer: &str) -> bool {
        let mut template = String::new();
        self.kind.pod_template().unwrap_or_default().iter().for_each(|key| push_key(&mut template, key));
        let in_template = !template.is_empty() && pointer.starts_with(&template);
        let unchanged = self.object.pointer(&template) == self.old.pointer(&template);
        self.kind.is_immutable(pointer) || (in_template && unchanged)
    }
}

/// What is scaled by the `scale` subresource of each resource.
const SCALABLE: [(&str, &str, Kind); 4] = [
    ("deployments", "apps/v1", Kind::Deployment),
    ("statefulsets", "apps/v1", Kind::StatefulSet),
    ("replicasets", "apps/v1", Kind::ReplicaSet),
    ("replicationcontrollers", "v1", Kind::ReplicationController),
];

fn review_scale(
    request: &Request<'_>,
    scale: &Value,
    old: Option<&Value>,
    settings: &Settings,
    world: &World<'_>,
) -> Verdict {
    let replicas = Node::root(scale).path(&["spec", "replicas"]);
    if !replicas.exists() || replicas.int().is_some_and(|replicas| replicas <= 1) {
        return Verdict::accept();
    }
    let Some((_, api_version, kind)) = SCALABLE.iter().find(|(plural, ..)| *plural == request.resource) else {
        return Verdict::accept();
    };
    let namespace = match &*request.namespace {
        "" => namespace_of(scale).unwrap_or(DEFAULT_NAMESPACE),
        namespace => namespace,
    };
    let name = match &*request.name {
        "" => reach(scale, &["metadata", "name"]).and_then(Value::as_str).unwrap_or_default(),
        name => name,
    };
    let parent = match world.get(api_version, kind.name(), namespace, name) {
        Lookup::Known(Some(parent)) => parent,
        Lookup::Known(None) => return unread_parent(*kind, "it does not exist"),
        Lookup::Unknown(why) => return unread_parent(*kind, &why),
    };
    // The replicas of an owned ReplicaSet are its owner's business, and its owner's own scaling is judged.
    if has_judged_owner(&parent) {
        return Verdict::accept();
    }
    let Some(parent) =
        Workload::read(&parent, *kind, settings).filter(|parent| parent.is_governed() && !parent.on_windows)
    else {
        return Verdict::accept();
    };
    let target = Target::Scale { scale: Node::root(scale), parent };
    let subject = Subject::new(target, namespace, settings, world).after(old);
    Verdict::from_findings(&rules::judge(&subject), None, &subject.unchecked())
}

fn unread_parent(kind: Kind, why: &str) -> Verdict {
    let parent = kind.name();
    Verdict {
        warnings: vec![format!("single-replica: not checked, because the {parent} that is scaled could not be read")],
        audit_annotations: vec![("unchecked", format!("{parent}: {why}"))],
        ..Verdict::accept()
    }
}

/// A cluster seen through one request, which may know that everything is in view.
struct World<'a> {
    cluster: &'a dyn Cluster,
    closed: bool,
}

impl Cluster for World<'_> {
    fn list(&self, resource: Resource, namespace: &str, narrow: Narrow<'_>) -> Lookup<Vec<Cow<'_, Value>>> {
        self.cluster.list(resource, namespace, narrow)
    }

    fn get(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Lookup<Option<Cow<'_, Value>>> {
        self.cluster.get(api_version, kind, namespace, name)
    }

    fn closed(&self) -> bool {
        self.closed
    }

    fn shows(&self, workload: Kind) -> bool {
        self.cluster.shows(workload)
    }

    fn judged_together(&self) -> bool {
        self.closed || self.cluster.judged_together()
    }
}
