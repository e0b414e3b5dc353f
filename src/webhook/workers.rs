//! The threads that run the module. Each keeps an instance of it, which answers one request after the other; one that
//! failed is replaced, and so is a thread that panicked.

mod failure;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use self::failure::Failure;
use super::incoming::Incoming;
use super::metrics::Metrics;
use super::routes::Stage;
use crate::module::{Error, Host, Instance, Response, Unpatchable, World};

/// What happens to a request when the module gives no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnError {
    /// It is refused
    Reject,
    /// It passes with a warning
    Allow,
}

/// What was decided about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It passes without a word; the module may not even have been asked.
    Accepted,
    /// It passes with warnings.
    Warned,
    /// It passes with a patch.
    Mutated,
    /// It is refused.
    Rejected,
    /// The module gave no answer.
    Failed,
}

impl Decision {
    /// The name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Decision::Accepted => "accepted",
            Decision::Warned => "warned",
            Decision::Mutated => "mutated",
            Decision::Rejected => "rejected",
            Decision::Failed => "failed",
        }
    }
}

/// The answer to a review.
#[derive(Debug)]
pub struct Answer {
    /// The AdmissionReview that goes back, as JSON.
    pub body: Bytes,
    /// What it says.
    pub decision: Decision,
    /// The ids of rules by what became of their findings: `mended`, `refused` or `warned`, each a list with commas.
    pub rules: Vec<(&'static str, String)>,
}

impl Answer {
    /// The answer to a request that passes without a word.
    pub fn accepted(incoming: &Incoming) -> Self {
        let response = Response { accepted: true, ..Response::default() };
        Answer::new(incoming, response, None, Decision::Accepted)
    }

    fn new(incoming: &Incoming, response: Response, patch: Option<String>, decision: Decision) -> Self {
        let rules = ["mended", "refused", "warned"].into_iter();
        let rules = rules.filter_map(|key| Some((key, response.audit_annotations.get(key)?.clone()))).collect();
        let body = incoming.admission().answer(response, patch).to_string();
        Answer { body: Bytes::from(body), decision, rules }
    }
}

/// Why nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// The request waited for longer than anybody would for an answer.
    Overdue,
    /// The workers are gone: this process is about to end.
    Ended,
}

/// What workers need to know.
pub struct Desk {
    /// The compiled module.
    pub host: Host,
    /// Where its look-ups are answered from.
    pub world: Arc<dyn World>,
    /// The policy's settings; those of the validating stage never patch.
    pub settings: StageSettings,
    /// What happens when the module gives no answer.
    pub on_error: OnError,
    /// How long a request may wait for a worker.
    pub patience: Duration,
    /// Where failures are counted.
    pub metrics: Arc<Metrics>,
}

/// The settings as JSON text, by stage.
#[derive(Clone, Debug)]
pub struct StageSettings {
    mutate: String,
    validate: String,
}

impl StageSettings {
    /// The settings of both stages, made of those that were configured: a mapping, or null for the defaults.
    pub fn new(settings: &Value) -> Self {
        let mutate = if settings.is_null() { json!({}) } else { settings.clone() };
        let mut validate = mutate.clone();
        if let Some(members) = validate.as_object_mut() {
            members.insert("mode".to_owned(), json!("validate"));
        }
        StageSettings { mutate: mutate.to_string(), validate: validate.to_string() }
    }

    /// The settings of a stage.
    pub fn of(&self, stage: Stage) -> &str {
        match stage {
            Stage::Mutate => &self.mutate,
            Stage::Validate => &self.validate,
        }
    }
}

/// A request on its way to a worker.
struct Job {
    stage: Stage,
    incoming: Incoming,
    asked: Instant,
    reply: oneshot::Sender<Result<(Incoming, Answer), Unanswered>>,
}

/// The threads that run the module. They end when this is dropped.
#[derive(Clone)]
pub struct Workers {
    // The gate bounds how many jobs there are.
    jobs: Sender<Job>,
}

impl Workers {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// What the system says when it gives no threads.
    pub fn start(count: usize, desk: Desk) -> io::Result<Self> {
        let (jobs, queue) = unbounded();
        let desk = Arc::new(desk);
        for number in 0..count.max(1) {
            let (desk, queue) = (Arc::clone(&desk), queue.clone());
            let work = move || {
                let once = || Worker { desk: Arc::clone(&desk), instance: None }.work(&queue);
                // Without its workers the webhook would only seem to live.
                while catch_unwind(AssertUnwindSafe(once)).is_err() {
                    desk.metrics.failed("panic");
                    tracing::error!("a worker panicked and is replaced");
                }
            };
            thread::Builder::new().name(format!("module-{number}")).spawn(work)?;
        }
        Ok(Workers { jobs })
    }

    /// Lets the module answer a review.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn ask(&self, stage: Stage, incoming: Incoming) -> Result<(Incoming, Answer), Unanswered> {
        let (reply, answer) = oneshot::channel();
        let job = Job { stage, incoming, asked: Instant::now(), reply };
        self.jobs.send(job).map_err(|_| Unanswered::Ended)?;
        answer.await.map_err(|_| Unanswered::Ended)?
    }
}

/// A request so large that the memory it took is given back: an instance never shrinks.
const LARGE: usize = 1 << 20;

/// Answers requests on one thread.
struct Worker {
    desk: Arc<Desk>,
    instance: Option<Instance>,
}

impl Worker {
    fn work(mut self, queue: &Receiver<Job>) {
        while let Ok(Job { stage, incoming, asked, reply }) = queue.recv() {
            if reply.is_closed() {
                continue; // The client hung up.
            }
            let answer = if asked.elapsed() > self.desk.patience {
                Err(Unanswered::Overdue)
            } else {
                let answer = self.answer(stage, &incoming);
                Ok((incoming, answer))
            };
            // Nobody is left to tell where the client hung up meanwhile.
            let _ = reply.send(answer);
        }
    }

    fn answer(&mut self, stage: Stage, incoming: &Incoming) -> Answer {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let response = self.call(stage, incoming)?;
            judged(stage, incoming, response).map_err(Failure::Patch)
        }));
        let outcome = outcome.unwrap_or(Err(Failure::Panic));
        if incoming.length() >= LARGE || outcome.is_err() {
            self.instance = None;
        }
        outcome.unwrap_or_else(|failure| self.failed(stage, incoming, &failure))
    }

    fn call(&mut self, stage: Stage, incoming: &Incoming) -> Result<Response, Error> {
        let instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.desk.host.instance(Arc::clone(&self.desk.world))?,
        };
        let instance = self.instance.insert(instance);
        instance.validate_text(incoming.request(), self.desk.settings.of(stage))
    }

    fn failed(&self, stage: Stage, incoming: &Incoming, failure: &Failure) -> Answer {
        let reason = failure.reason();
        self.desk.metrics.failed(reason);
        let (names, about) = (incoming.names(), &incoming.about);
        tracing::error!(
            path = stage.path(),
            uid = incoming.uid(),
            operation = about.operation,
            group = about.group,
            kind = about.kind,
            sub_resource = &*names.sub_resource,
            namespace = &*names.namespace,
            name = &*names.name,
            reason,
            "the module gave no answer: {}",
            failure.causes()
        );
        let what = match reason {
            "timeout" => "it ran for too long",
            _ => "it failed",
        };
        let mut response = Response::default();
        match self.desk.on_error {
            OnError::Allow => {
                response.accepted = true;
                response.warnings = vec![format!("sqledge-ha: not checked, because the policy gave no answer: {what}")];
            }
            OnError::Reject => {
                response.code = Some(500);
                response.message = Some(format!("sqledge-ha: the policy gave no answer: {what}; its log says why"));
            }
        }
        Answer::new(incoming, response, None, Decision::Failed)
    }
}

/// What the module says, as an answer. A module that patches where nobody lets it is refused, as in Kubewarden.
fn judged(stage: Stage, incoming: &Incoming, mut response: Response) -> Result<Answer, Unpatchable> {
    if stage == Stage::Validate && response.accepted && response.mutated_object.is_some() {
        response.accepted = false;
        response.message = Some("sqledge-ha: the policy wants to change the object, and may only judge it".to_owned());
    }
    let patch = incoming.admission().patch(&response)?;
    let decision = match &response {
        Response { accepted: false, .. } => Decision::Rejected,
        _ if patch.is_some() => Decision::Mutated,
        Response { warnings, .. } if !warnings.is_empty() => Decision::Warned,
        _ => Decision::Accepted,
    };
    Ok(Answer::new(incoming, response, patch, decision))
}
