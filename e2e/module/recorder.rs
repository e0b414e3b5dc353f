//! A world that remembers what the module asked of it.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use serde_json::value::RawValue;
use serde_json::{Value, json};
use sqledge_ha::module::{Get, List, ObjectSet, Objects, Response, World};

use super::HOST;

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

/// A world that writes down what it is asked, and may forbid everything.
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

    /// One that lets nobody read anything.
    pub(super) fn that_forbids() -> Self {
        Recorder { forbids: true, ..Recorder::default() }
    }

    fn record(&self, call: Call) -> Result<(), String> {
        self.calls.lock().unwrap().push(call);
        let forbidden = "ApiError: services is forbidden: User \"system:serviceaccount:kubewarden:s3cret\" cannot get";
        if self.forbids { Err(forbidden.to_owned()) } else { Ok(()) }
    }
}

impl World for Recorder {
    fn get(&self, query: &Get) -> Result<Option<Cow<'_, Value>>, String> {
        self.record(Call::Get(query.clone()))?;
        self.objects.get(query)
    }

    fn list(&self, query: &List) -> Result<Objects<'_>, String> {
        self.record(Call::List(query.clone()))?;
        self.objects.list(query)
    }
}

/// Reviews a request in a world, and gives what was looked up as well.
pub(super) fn review_in(world: Recorder, request: &RawValue) -> (Response, Vec<Call>) {
    let world = Arc::new(world);
    let instance = HOST.instance(Arc::clone(&world) as Arc<dyn World>).unwrap();
    let response = instance.validate(request, &json!({})).unwrap();
    let calls = world.calls.lock().unwrap().clone();
    (response, calls)
}
