//! The review of one admission request.

use serde_json::Value;

use super::exit::Reason;
use super::prefilter::{may_run_engine, may_run_other_pods, may_set_images, names_known_engine};
use super::ratchet::{Update, turn_into_warnings};
use super::request::{Request, parse_payload};
use super::verdict::{UNCHECKED, Verdict};
use super::{rollout, scale};
use crate::finding::Findings;
use crate::json::cursor::{Cursor, get_path};
use crate::json::parse::{Members, ParseError, parse_value};
use crate::kubernetes::kind::{Kind, WorkloadKind, has_checked_owner, is_mirror_pod, is_of_operator};
use crate::kubernetes::resources::Resource;
use crate::kubernetes::rollout::workload_reference;
use crate::kubernetes::{DEFAULT_NAMESPACE, namespace_of};
use crate::rules::check::{CheckContext, CheckedObject};
use crate::rules::{apply_mutations, check_all, exemption, parse_settings};
use crate::settings::{Mode, Operators, Settings};
use crate::view::Scope;
use crate::view::cluster::{Cluster, Lookup, Query};
use crate::view::unavailable::Unavailable;
use crate::workload::Workload;

/// The outcome of a review.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The request is allowed without a finding.
    Passed(Reason),
    /// There are findings, or look-ups that failed.
    Decided(Verdict),
}

impl Outcome {
    /// A verdict that says something; otherwise every rule passes.
    pub(super) fn from_verdict(verdict: Verdict) -> Self {
        if verdict == Verdict::allow() { Outcome::Passed(Reason::NoFindings) } else { Outcome::Decided(verdict) }
    }

    /// The request is allowed, but not checked: `resource` cannot be looked up.
    pub(super) fn unchecked(resource: &str, reason: Unavailable, warnings: Vec<String>) -> Self {
        let audit_annotations = vec![(UNCHECKED, format!("{resource}: {}", reason.words()))];
        Outcome::Decided(Verdict { audit_annotations, warnings, ..Verdict::allow() })
    }

    /// The verdict.
    pub fn into_verdict(self) -> Verdict {
        match self {
            Outcome::Passed(_) => Verdict::allow(),
            Outcome::Decided(verdict) => verdict,
        }
    }
}

/// Answers what a host passes to the module: `{"request": …, "settings": …}`. Any bytes have an answer.
pub fn validate(payload: &[u8], cluster: &dyn Cluster) -> Verdict {
    validate_in(payload, |_| RequestCluster { cluster, scope: cluster.scope() })
}

/// Like [`validate`], in the cluster that `cluster` shows with the settings.
pub fn validate_in<C: Cluster>(payload: &[u8], cluster: impl FnOnce(&Settings) -> C) -> Verdict {
    outcome(payload, cluster).map_or_else(Verdict::failure, Outcome::into_verdict)
}

fn outcome<C: Cluster>(payload: &[u8], cluster: impl FnOnce(&Settings) -> C) -> Result<Outcome, String> {
    let message = |error: ParseError| error.to_string();
    let (request, settings) = parse_payload(payload).map_err(message)?;
    if let Some(reason) = reason_for_any_settings(&request, settings) {
        return Ok(Outcome::Passed(reason));
    }
    let settings = match settings {
        Some(text) => {
            let value = parse_value(text, "the settings").map_err(message)?;
            parse_settings(&value).map_err(|message| format!("the settings are not valid: {message}"))?
        }
        None => Settings::default(),
    };
    let cluster = cluster(&settings);
    review(&request, settings, &cluster).map_err(message)
}

/// Why a request is allowed whatever the settings say, if it is. Parsing them takes longer than such a request.
fn reason_for_any_settings(request: &Request<'_>, settings: Option<&str>) -> Option<Reason> {
    let checked = match CheckedRequest::by_kind(request) {
        Ok(checked) => checked,
        Err(reason) => return Some(reason),
    };
    let may_run_engine = checked.kind.workload().is_none()
        || names_known_engine(checked.raw)
        || may_run_other_pods(checked.kind, checked.raw)
        || settings.is_some_and(may_set_images);
    (!may_run_engine).then_some(Reason::NoDatabase)
}

/// Reviews an admission request.
///
/// # Errors
/// [`ParseError`] if an object that rules check is not JSON, or is nested deeper than 128 levels.
pub fn review(request: &Request<'_>, mut settings: Settings, cluster: &dyn Cluster) -> Result<Outcome, ParseError> {
    let CheckedRequest { kind, raw, raw_old } = match CheckedRequest::read(request, &settings)? {
        Ok(checked) => checked,
        Err(reason) => return Ok(Outcome::Passed(reason)),
    };
    let object = parse_value(raw, "the object")?;
    let old = raw_old.map(|raw| parse_value(raw, "the old object")).transpose()?;
    if let Some(reason) = reason_to_skip(kind, &object, old.as_ref()) {
        return Ok(Outcome::Passed(reason));
    }
    // Only an existing object has a resourceVersion when it is created: the audit scanner sends it. Everything can
    // be looked up then, and nothing can be mutated.
    let is_audit = request.operation == "CREATE" && exists_already(&object);
    let scope = if is_audit { Scope::LiveCluster } else { cluster.scope() };
    let cluster = RequestCluster { cluster, scope };
    if is_audit {
        settings.mode = Mode::Validate;
    }
    Ok(match kind {
        Kind::Scale => scale::review(request, &object, old.as_ref(), &settings, &cluster),
        Kind::ROLLOUT if workload_reference(&Cursor::root(&object)).is_some() => {
            rollout::review(request, &object, old.as_ref(), &settings, &cluster)
        }
        _ => review_object(request, kind, object, old.as_ref(), &settings, &cluster),
    })
}

/// Whether an object has a `resourceVersion`, which an API server gave it.
fn exists_already(object: &Value) -> bool {
    let version = get_path(object, &["metadata", "resourceVersion"]).and_then(Value::as_str);
    version.is_some_and(|version| !version.is_empty())
}

/// Whether a request needs the module at all. Most are allowed for their kind, their operation, or because their text
/// contains no database. A host can ask this natively and spare itself the call.
///
/// # Errors
/// [`ParseError`] if the objects are not JSON.
pub fn needs_check(request: &Request<'_>, settings: &Settings) -> Result<bool, ParseError> {
    Ok(CheckedRequest::read(request, settings)?.is_ok())
}

/// A request whose objects rules check.
struct CheckedRequest<'a> {
    kind: Kind,
    raw: &'a str,
    raw_old: Option<&'a str>,
}

impl<'a> CheckedRequest<'a> {
    /// Takes the cheap exits.
    fn read(request: &Request<'a>, settings: &Settings) -> Result<Result<Self, Reason>, ParseError> {
        let checked = match Self::by_kind(request) {
            Ok(checked) => checked,
            Err(reason) => return Ok(Err(reason)),
        };
        let may_run_engine = may_run_engine(checked.raw, settings) || may_run_other_pods(checked.kind, checked.raw);
        if checked.kind.workload().is_some() && !may_run_engine {
            return Ok(Err(Reason::NoDatabase));
        }
        let is_unchanged = match checked.raw_old {
            Some(raw_old) => is_same_body(checked.kind, checked.raw, raw_old)?,
            None => false,
        };
        Ok(if is_unchanged { Err(Reason::Unchanged) } else { Ok(checked) })
    }

    fn by_kind(request: &Request<'a>) -> Result<Self, Reason> {
        let kind = Kind::from_group(&request.group, &request.kind).filter(|kind| kind.is_checked());
        let kind = kind.ok_or(Reason::UncheckedKind)?;
        if !matches!(&*request.operation, "CREATE" | "UPDATE") {
            return Err(Reason::UncheckedOperation);
        }
        match (&*request.sub_resource, kind) {
            ("", Kind::Scale) => return Err(Reason::ScaleWithoutSubResource),
            ("", _) | ("scale", Kind::Scale) => {}
            ("scale", _) => return Err(Reason::NoScale),
            _ => return Err(Reason::UncheckedSubResource),
        }
        let raw = request.object.ok_or(Reason::NoObject)?;
        Ok(CheckedRequest { kind, raw, raw_old: request.old_object.filter(|_| request.operation == "UPDATE") })
    }
}

/// Whether the fields that rules check are the same text in two objects: the API server writes equal values alike.
fn is_same_body(kind: Kind, new: &str, old: &str) -> Result<bool, ParseError> {
    let Some(Resource { body, body_annotations, .. }) = kind.resource() else { return Ok(true) };
    let new = Members::parse(new, "the object")?;
    let old = Members::parse(old, "the old object")?;
    let has_same_fields = body.iter().all(|field| new.raw(field) == old.raw(field));
    Ok(has_same_fields && (body_annotations.is_empty() || raw_annotations(&new) == raw_annotations(&old)))
}

fn raw_annotations<'a>(object: &Members<'a>) -> Option<&'a str> {
    Members::parse(object.raw("metadata")?, "the object's metadata").ok()?.raw("annotations")
}

/// Why an object is not checked, if it is not.
fn reason_to_skip(kind: Kind, object: &Value, old: Option<&Value>) -> Option<Reason> {
    let is_unchanged = |old: &Value| {
        kind.resource().is_none_or(|resource| {
            let annotation = |object| move |name| get_path(object, &["metadata", "annotations", name]);
            resource.body.iter().all(|field| object.get(*field) == old.get(*field))
                && resource.body_annotations.iter().all(|(name, _)| annotation(object)(name) == annotation(old)(name))
        })
    };
    // At creation, the API server clears the time after mutation.
    let is_deleted = || {
        let time = get_path(object, &["metadata", "deletionTimestamp"]);
        old.is_some() && time.is_some_and(|time| !time.is_null())
    };
    if old.is_some_and(is_unchanged) {
        Some(Reason::Unchanged)
    } else if is_deleted() {
        Some(Reason::BeingDeleted)
    } else {
        has_checked_owner(kind, object).then_some(Reason::CheckedOwner)
    }
}

/// Whether findings on an object are warnings only, because something else than the request decides about it.
/// The audit scanner reports them as they are.
pub(super) fn only_warns(kind: Kind, object: &Value, settings: &Settings, cluster: &RequestCluster<'_>) -> bool {
    cluster.scope != Scope::LiveCluster
        && (is_mirror_pod(kind, object) || (settings.operators == Operators::Warn && is_of_operator(object)))
}

fn review_object(
    request: &Request<'_>,
    kind: Kind,
    object: Value,
    old: Option<&Value>,
    settings: &Settings,
    cluster: &RequestCluster<'_>,
) -> Outcome {
    let Some(context) = check_context(request, kind, &object, settings, cluster) else {
        return Outcome::Passed(unchecked_reason(kind, &object, settings));
    };
    let context = context.with_old_object(old);
    let mut findings = check_all(&context);
    let update = old.map(|old| {
        let before = check_context(request, kind, old, settings, cluster);
        let before = before.map_or_else(Findings::new, |context| check_all(&context));
        Update { kind, object: &object, old, before }
    });
    turn_into_warnings(&mut findings, update.as_ref(), only_warns(kind, &object, settings, cluster));
    let unchecked = context.view.unchecked();
    let mistakes = if settings.exemptions { exemption::mistakes(&object) } else { Vec::new() };
    let mutated = apply_mutations(object, &findings);
    let mut verdict = Verdict::from_findings(&findings, mutated, &unchecked, settings.announce);
    verdict.warnings.extend(mistakes);
    Outcome::from_verdict(verdict)
}

fn check_context<'a>(
    request: &'a Request<'_>,
    kind: Kind,
    object: &'a Value,
    settings: &'a Settings,
    cluster: &'a RequestCluster<'_>,
) -> Option<CheckContext<'a>> {
    let namespace = request_namespace(request, object);
    Some(CheckContext::new(CheckedObject::read(object, kind, settings)?, namespace, settings, cluster))
}

/// The namespace of a request: a manifest may leave it to the request.
pub(super) fn request_namespace<'a>(request: &'a Request<'_>, object: &'a Value) -> &'a str {
    match &*request.namespace {
        "" => namespace_of(object).unwrap_or(DEFAULT_NAMESPACE),
        namespace => namespace,
    }
}

fn unchecked_reason(kind: Kind, object: &Value, settings: &Settings) -> Reason {
    match kind.workload().and_then(|kind| Workload::read(object, kind, settings)) {
        Some(_) => Reason::UnselectedEngine,
        None => Reason::NoDatabase,
    }
}

/// A cluster as one request sees it. The audit scanner sees everything.
pub(super) struct RequestCluster<'a> {
    cluster: &'a dyn Cluster,
    scope: Scope,
}

impl Cluster for RequestCluster<'_> {
    fn scope(&self) -> Scope {
        self.scope
    }

    fn find(&self, query: &Query<'_>) -> Lookup<Vec<&Value>> {
        self.cluster.find(query)
    }

    fn get(&self, resource: &'static Resource, namespace: &str, name: &str) -> Lookup<Option<&Value>> {
        self.cluster.get(resource, namespace, name)
    }

    fn can_list(&self, kind: WorkloadKind) -> bool {
        self.cluster.can_list(kind)
    }
}
