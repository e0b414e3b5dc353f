//! A look-up source that records the module's calls.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use serde_json::value::RawValue;
use serde_json::{Value, json};
use sqledge_ha::wasm_host::{Get, List, LookupSource, ObjectIter, ObjectSet, Response, with_look_ups};

use super::MODULE;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Call {
    Get(Get),
    List(List),
}

impl Call {
    pub(super) fn kind(&self) -> (String, String) {
        match self {
            Call::Get(Get { api_version, kind, .. }) | Call::List(List { api_version, kind, .. }) => {
                (api_version.clone(), kind.clone())
            }
        }
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self, Call::List(_))
    }
}

/// Records look-ups, and answers them from a set of objects or forbids them.
#[derive(Default)]
pub(super) struct Recorder {
    objects: ObjectSet,
    forbids: bool,
    calls: Mutex<Vec<Call>>,
}

impl Recorder {
    pub(super) fn of(objects: Vec<Value>) -> Self {
        Recorder { objects: ObjectSet(objects), ..Recorder::default() }
    }

    /// A source that forbids every look-up.
    pub(super) fn forbidding() -> Self {
        Recorder { forbids: true, ..Recorder::default() }
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    fn record(&self, call: Call) -> Result<(), String> {
        self.calls.lock().unwrap().push(call);
        let forbidden = "ApiError: services is forbidden: User \"system:serviceaccount:kubewarden:s3cret\" cannot get";
        if self.forbids { Err(forbidden.to_owned()) } else { Ok(()) }
    }
}

impl LookupSource for Recorder {
    fn get(&self, query: &Get) -> Result<Option<Cow<'_, Value>>, String> {
        self.record(Call::Get(query.clone()))?;
        self.objects.get(query)
    }

    fn list(&self, query: &List) -> Result<ObjectIter<'_>, String> {
        self.record(Call::List(query.clone()))?;
        self.objects.list(query)
    }
}

/// Checks a request, and returns the response and the look-ups.
pub(super) fn review_in(lookups: Recorder, request: &RawValue) -> (Response, Vec<Call>) {
    review_with(lookups, request, &json!({}))
}

/// The same with settings.
pub(super) fn review_with(lookups: Recorder, request: &RawValue, settings: &Value) -> (Response, Vec<Call>) {
    let lookups = Arc::new(lookups);
    let mut instance = MODULE.instance(Arc::clone(&lookups) as Arc<dyn LookupSource>).unwrap();
    let response = instance.validate(request, &with_look_ups(settings)).unwrap();
    (response, lookups.calls())
}
