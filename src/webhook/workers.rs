//! The threads that run the module. Each keeps one instance for many requests, and replaces it after a failure.

mod failure;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use self::failure::ModuleFailure;
use super::active_settings::ActiveSettings;
use super::decision::{Answer, Stage};
use super::log::non_empty;
use super::metrics::{FailureReason, Metrics};
use crate::wasm_host::{
    AdmissionReview, CompiledModule, Error, Instance, LookupSource, RequestInfo, Response, with_look_ups,
};

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// It waited longer than [`WorkerContext::max_queue_time`].
    QueueTimeout,
    /// The module failed, as this says.
    ModuleFailed(&'static str),
    /// The workers are gone, because the process is about to end.
    Ended,
}

/// What workers need.
pub struct WorkerContext {
    /// The compiled module.
    pub module: CompiledModule,
    /// The source for its look-ups.
    pub lookups: Arc<dyn LookupSource>,
    /// The policy's settings.
    pub settings: Arc<ActiveSettings>,
    /// How long a request may wait for a worker.
    pub max_queue_time: Duration,
    /// Counts failures.
    pub metrics: Arc<Metrics>,
}

/// The settings of each stage as JSON text. In the validating stage, the mode is `validate`, unless the settings say
/// that it is `warn`.
#[derive(Clone, Debug)]
pub struct StageSettings {
    mutate: String,
    validate: String,
    warn: String,
}

impl StageSettings {
    /// Takes the configured settings: a mapping, or null for the defaults.
    pub fn new(settings: &Value) -> Self {
        let settings = with_look_ups(settings);
        let in_mode = |mode: &str| {
            let mut settings = settings.clone();
            if let Some(members) = settings.as_object_mut() {
                members.insert("mode".to_owned(), json!(mode));
            }
            settings.to_string()
        };
        let (mutate, warn) = (settings.to_string(), in_mode("warn"));
        let only_warns = settings.get("mode").is_some_and(|mode| mode == "warn");
        StageSettings { mutate, validate: if only_warns { warn.clone() } else { in_mode("validate") }, warn }
    }

    /// The settings of a stage.
    pub fn get(&self, stage: Stage) -> &str {
        match stage {
            Stage::Mutate => &self.mutate,
            Stage::Validate => &self.validate,
            Stage::Warn => &self.warn,
        }
    }
}

/// A request for a worker.
struct Job {
    stage: Stage,
    review: AdmissionReview,
    queued: Instant,
    reply: oneshot::Sender<Result<(AdmissionReview, Answer), NoAnswer>>,
}

/// The threads that run the module. They end when all clones of this are dropped.
#[derive(Clone)]
pub struct Workers {
    // The request limit bounds the length of the queue.
    jobs: Sender<Job>,
}

impl Workers {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// The operating system's error if it cannot start a thread.
    pub fn start(count: usize, context: WorkerContext) -> io::Result<Self> {
        let (jobs, queue) = unbounded();
        let context = Arc::new(context);
        for number in 0..count.max(1) {
            let (context, queue) = (Arc::clone(&context), queue.clone());
            let run = move || {
                let worker = || Worker { context: Arc::clone(&context), instance: None }.run(&queue);
                while catch_unwind(AssertUnwindSafe(worker)).is_err() {
                    context.metrics.count_module_failure(FailureReason::Panic);
                    tracing::error!("a worker panicked and is replaced");
                }
            };
            thread::Builder::new().name(format!("module-{number}")).spawn(run)?;
        }
        Ok(Workers { jobs })
    }

    /// Runs the module on a review, which comes back with the answer.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn answer(&self, stage: Stage, review: AdmissionReview) -> Result<(AdmissionReview, Answer), NoAnswer> {
        let (reply, answer) = oneshot::channel();
        let job = Job { stage, review, queued: Instant::now(), reply };
        self.jobs.send(job).map_err(|_| NoAnswer::Ended)?;
        answer.await.map_err(|_| NoAnswer::Ended)?
    }
}

/// After a request of this size the instance is replaced, because its memory never shrinks.
const LARGE_REQUEST: usize = 1 << 20;

/// Answers requests on one thread.
struct Worker {
    context: Arc<WorkerContext>,
    instance: Option<Instance>,
}

impl Worker {
    fn run(mut self, queue: &Receiver<Job>) {
        while let Ok(Job { stage, review, queued, reply }) = queue.recv() {
            if reply.is_closed() {
                continue; // The client closed the connection.
            }
            let answer = if queued.elapsed() > self.context.max_queue_time {
                Err(NoAnswer::QueueTimeout)
            } else {
                self.answer(stage, &review).map(|answer| (review, answer))
            };
            let _ = reply.send(answer);
        }
    }

    fn answer(&mut self, stage: Stage, review: &AdmissionReview) -> Result<Answer, NoAnswer> {
        let answer = catch_unwind(AssertUnwindSafe(|| {
            let response = self.call(stage, review)?;
            Answer::from_response(stage, review, response).map_err(ModuleFailure::Patch)
        }));
        let answer = answer.unwrap_or(Err(ModuleFailure::Panic));
        if review.body_len() >= LARGE_REQUEST || answer.is_err() {
            self.instance = None;
        }
        answer.or_else(|failure| self.answer_failure(stage, review, &failure))
    }

    fn call(&mut self, stage: Stage, review: &AdmissionReview) -> Result<Response, Error> {
        let instance = match self.instance.take() {
            Some(instance) => instance,
            None => self.context.module.instance(Arc::clone(&self.context.lookups))?,
        };
        let instance = self.instance.insert(instance);
        instance.validate_text(review.request_text(), self.context.settings.current().stages.get(stage))
    }

    /// Without an answer, the failure policy of the webhook decides. The warning stage never rejects.
    fn answer_failure(
        &self,
        stage: Stage,
        review: &AdmissionReview,
        failure: &ModuleFailure,
    ) -> Result<Answer, NoAnswer> {
        let reason = failure.reason();
        self.context.metrics.count_module_failure(reason);
        let RequestInfo { uid, operation, group, kind, sub_resource, namespace, name, user, .. } = &review.info;
        let [group, sub_resource, namespace, name, user] =
            [group, sub_resource, namespace, name, user].map(|text| non_empty(text));
        let (path, causes) = (stage.path(), failure.causes());
        tracing::error!(
            reason = reason.name(),
            kind,
            namespace,
            name,
            user,
            operation,
            group,
            sub_resource,
            path,
            uid,
            "the check failed: {causes}"
        );
        let cause = match reason {
            FailureReason::Timeout => "the module ran for too long",
            _ => "the module failed",
        };
        if stage == Stage::Warn { Ok(Answer::not_checked(review, cause)) } else { Err(NoAnswer::ModuleFailed(cause)) }
    }
}
