//! What a rule checks: one object, read as what it is, with the settings and a view of the other objects.

use serde_json::Value;

use super::{Rule, exemption};
use crate::finding::Findings;
use crate::json::cursor::Cursor;
use crate::kubernetes::claim::Claim;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::namespace_of;
use crate::kubernetes::objects::{Autoscaler, DisruptionBudget};
use crate::kubernetes::service::Service;
use crate::settings::Settings;
use crate::view::cluster::Cluster;
use crate::view::{Scope, View};
use crate::workload::{DatabaseContainer, Workload};

/// The most findings of one rule on one object: with so many, no more containers, mounts and the like are checked. Each
/// finding costs a search of the object, and nobody reads more.
pub const MAX_FINDINGS: usize = 100;

/// The values on which a rule has findings. Several containers may share a value, and only its first finding is made.
#[derive(Debug, Default)]
pub struct Reported<'a>(Vec<Cursor<'a>>);

impl<'a> Reported<'a> {
    /// Adds a value. Whether a finding on it is to be made: it is the first, and there are not [`MAX_FINDINGS`] yet.
    pub fn insert(&mut self, at: &Cursor<'a>) -> bool {
        let is_new = !self.is_full() && !self.0.iter().any(|known| known.is_same(at));
        if is_new {
            self.0.push(*at);
        }
        is_new
    }

    /// Whether no more findings are to be made.
    pub fn is_full(&self) -> bool {
        self.0.len() >= MAX_FINDINGS
    }
}

/// A check of a rule, by what it checks. Each adds its findings; the registry fills in their rule and action.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// Each database container of a workload on Linux nodes.
    Container(fn(&CheckContext<'_>, &DatabaseContainer<'_, '_>, &mut Findings)),
    /// A workload on Linux nodes that runs a selected product.
    Workload(fn(&CheckContext<'_>, &Workload<'_>, &mut Findings)),
    /// A workload that runs a selected product, also on Windows nodes.
    WorkloadOnAnyNode(fn(&CheckContext<'_>, &Workload<'_>, &mut Findings)),
    /// A core Service, whatever it selects.
    Service(fn(&CheckContext<'_>, &Service<'_>, &mut Findings)),
    /// A request that changes the number of replicas of a workload.
    Scale(fn(&CheckContext<'_>, &ScaleRequest<'_>, &mut Findings)),
    /// A PersistentVolumeClaim.
    Claim(fn(&CheckContext<'_>, &Claim<'_>, &mut Findings)),
    /// A PodDisruptionBudget.
    DisruptionBudget(fn(&CheckContext<'_>, &DisruptionBudget<'_>, &mut Findings)),
    /// An autoscaler of any kind.
    Autoscaler(fn(&CheckContext<'_>, &Autoscaler<'_>, &mut Findings)),
}

/// Checks that need what is looked up in files and audits only. The module leaves them out, to stay small.
pub const fn offline(checks: &'static [Check]) -> &'static [Check] {
    if cfg!(feature = "guest") { &[] } else { checks }
}

/// An object, read as what it is.
#[derive(Clone, Debug)]
pub enum CheckedObject<'a> {
    /// A workload that runs a selected product.
    Workload(Workload<'a>),
    /// A core Service.
    Service(Service<'a>),
    /// The object of the `scale` sub-resource of a workload.
    Scale(ScaleRequest<'a>),
    /// A PersistentVolumeClaim.
    Claim(Claim<'a>),
    /// A PodDisruptionBudget.
    DisruptionBudget(DisruptionBudget<'a>),
    /// An autoscaler of any kind.
    Autoscaler(Autoscaler<'a>),
}

/// A request that changes the number of replicas of a workload.
#[derive(Clone, Debug)]
pub struct ScaleRequest<'a> {
    /// The `autoscaling/v1` Scale.
    pub scale: Cursor<'a>,
    /// The workload.
    pub workload: Workload<'a>,
}

impl<'a> CheckedObject<'a> {
    /// Reads `object`; `None` if rules do not check it: it is of another kind, or runs no selected product.
    pub fn read(object: &'a Value, kind: Kind, settings: &Settings) -> Option<Self> {
        if !kind.is_checked() {
            return None;
        }
        Some(match kind {
            Kind::Workload(kind) => {
                CheckedObject::Workload(Workload::read(object, kind, settings).filter(Workload::has_selected_engine)?)
            }
            Kind::Service => CheckedObject::Service(Service::read(object)),
            Kind::Claim => CheckedObject::Claim(Claim::read(object)),
            Kind::DisruptionBudget => CheckedObject::DisruptionBudget(DisruptionBudget::read(object)),
            Kind::Autoscaler | Kind::ScaledObject | Kind::VerticalAutoscaler => {
                CheckedObject::Autoscaler(Autoscaler::read(object))
            }
            Kind::Scale
            | Kind::Volume
            | Kind::StorageClass
            | Kind::ConfigMap
            | Kind::Node
            | Kind::Gateway
            | Kind::TcpRoute => return None,
        })
    }

    /// The object itself.
    pub fn value(&self) -> &'a Value {
        let cursor = match self {
            CheckedObject::Workload(workload) => &workload.object,
            CheckedObject::Service(service) => &service.object,
            CheckedObject::Scale(request) => &request.scale,
            CheckedObject::Claim(claim) => &claim.object,
            CheckedObject::DisruptionBudget(budget) => &budget.object,
            CheckedObject::Autoscaler(autoscaler) => &autoscaler.object,
        };
        cursor.value().unwrap_or(&Value::Null)
    }

    /// The workload of a scale request, which has the annotations; else the object.
    pub(super) fn workload_or_value(&self) -> &'a Value {
        match self {
            CheckedObject::Scale(request) => request.workload.object.value().unwrap_or(&Value::Null),
            _ => self.value(),
        }
    }
}

/// One object with everything that a check may ask.
pub struct CheckContext<'a> {
    /// The object.
    pub object: CheckedObject<'a>,
    /// The object before an UPDATE.
    pub old: Option<&'a Value>,
    /// The settings.
    pub settings: &'a Settings,
    /// The other objects.
    pub view: View<'a>,
}

impl<'a> CheckContext<'a> {
    /// An object in `namespace`.
    pub fn new(
        object: CheckedObject<'a>,
        namespace: &'a str,
        settings: &'a Settings,
        cluster: &'a dyn Cluster,
    ) -> Self {
        CheckContext { object, old: None, settings, view: View::new(cluster, settings, namespace) }
    }

    /// Reads an object in the namespace that it names; `None` if rules do not check it.
    pub fn read(object: &'a Value, kind: Kind, settings: &'a Settings, cluster: &'a dyn Cluster) -> Option<Self> {
        let namespace = namespace_of(object).unwrap_or(cluster.default_namespace());
        Some(CheckContext::new(CheckedObject::read(object, kind, settings)?, namespace, settings, cluster))
    }

    /// The same object as the result of an UPDATE of `old`.
    #[must_use]
    pub fn with_old_object(self, old: Option<&'a Value>) -> Self {
        CheckContext { old, ..self }
    }

    /// Whether an object, related to the checked one, is exempt from `rule`.
    pub fn exempts(&self, rule: &Rule, object: &Cursor<'_>) -> bool {
        self.settings.exemptions && object.value().is_some_and(|object| exemption::names(object, rule.id))
    }

    /// How much of what exists can be looked up.
    pub fn scope(&self) -> Scope {
        self.view.scope()
    }
}

impl Check {
    /// Runs the check, if the object is what it checks.
    pub(super) fn run(&self, context: &CheckContext<'_>, findings: &mut Findings) {
        match (self, &context.object) {
            (Check::Container(check), CheckedObject::Workload(workload)) if !workload.on_windows => {
                for container in workload.containers() {
                    if findings.len() < MAX_FINDINGS {
                        check(context, &container, findings);
                    }
                }
            }
            (Check::Workload(check), CheckedObject::Workload(workload)) if !workload.on_windows => {
                check(context, workload, findings);
            }
            (Check::WorkloadOnAnyNode(check), CheckedObject::Workload(workload)) => check(context, workload, findings),
            (Check::Service(check), CheckedObject::Service(service)) => check(context, service, findings),
            (Check::Scale(check), CheckedObject::Scale(request)) => check(context, request, findings),
            (Check::Claim(check), CheckedObject::Claim(claim)) => check(context, claim, findings),
            (Check::DisruptionBudget(check), CheckedObject::DisruptionBudget(budget)) => {
                check(context, budget, findings)
            }
            (Check::Autoscaler(check), CheckedObject::Autoscaler(autoscaler)) => check(context, autoscaler, findings),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rules::{
        exclusive_claim, existing_claim, graceful_stop, numeric_user, single_node_claim, steady_controller,
    };
    use crate::testing::{IMAGE, closed, findings_of, stateful_set, test};

    #[test]
    fn a_rule_has_few_findings_on_an_object_with_many_mistakes() {
        let container = |number: usize| {
            json!({"image": IMAGE, "restartPolicy": "Never", "livenessProbe": {"terminationGracePeriodSeconds": 1},
                "volumeMounts": [{"name": format!("v{number}"), "mountPath": "/var/opt/mssql"}]})
        };
        let volume = |number: usize| json!({"name": format!("v{number}"), "persistentVolumeClaim": {"claimName": format!("c{number}")}});
        let template = |number: usize| json!({"metadata": {"name": format!("v{number}")}, "spec": {"accessModes": ["ReadWriteMany"]}});
        let count = 2 * MAX_FINDINGS;
        let list = |item: &dyn Fn(usize) -> Value| (0..count).map(item).collect::<Value>();
        let with = |field: &str, value: Value| {
            stateful_set(&[
                ("/spec/template/spec/containers", list(&container)),
                ("/spec/template/spec/securityContext/runAsNonRoot", json!(true)),
                ("/spec/volumeClaimTemplates", json!([])),
                (field, value),
            ])
        };
        let claims = with("/spec/template/spec/volumes", list(&volume));
        let mut other = claims.clone();
        other["metadata"]["name"] = json!("other");
        let templates = with("/spec/volumeClaimTemplates", list(&template));
        let cases = [
            (&graceful_stop::RULE, &claims, MAX_FINDINGS),
            (&steady_controller::RULE, &claims, MAX_FINDINGS),
            (&existing_claim::RULE, &claims, MAX_FINDINGS),
            (&exclusive_claim::RULE, &claims, MAX_FINDINGS),
            (&single_node_claim::RULE, &templates, MAX_FINDINGS),
            (&numeric_user::RULE, &claims, 1),
        ];
        for (rule, object, expected) in cases {
            let findings = findings_of(rule, object, &closed([object, &other]), &Settings::default());
            assert_eq!(findings.len(), expected, "{}", rule.id);
        }
    }
}
