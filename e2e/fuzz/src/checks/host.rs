//! A waPC host around the module's own entry points, natively: what `wapc_guest` imports, it finds here.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Once;

// Defines the module's exports.
use sqledge_ha_policy as _;

#[derive(Default)]
struct Host {
    operation: Vec<u8>,
    payload: Vec<u8>,
    /// What look-ups are answered with; one that begins with `!` is an error.
    answers: Vec<Vec<u8>>,
    answered: Vec<u8>,
    response: Vec<u8>,
    error: Vec<u8>,
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
}

// The module's exports.
unsafe extern "C" {
    safe fn wapc_init();
    safe fn __guest_call(operation_length: i32, payload_length: i32) -> i32;
}

/// Calls an operation of the module, as a policy server does.
pub fn call(operation: &str, payload: &[u8], answers: &[&[u8]]) -> Result<Vec<u8>, Vec<u8>> {
    static READY: Once = Once::new();
    READY.call_once(|| wapc_init());
    HOST.set(Host {
        operation: operation.into(),
        payload: payload.into(),
        answers: answers.iter().map(|answer| answer.to_vec()).collect(),
        ..Host::default()
    });
    let length = |bytes: &[u8]| i32::try_from(bytes.len()).expect("inputs are small");
    let worked = __guest_call(length(operation.as_bytes()), length(payload));
    HOST.with_borrow_mut(|host| {
        if worked == 1 { Ok(std::mem::take(&mut host.response)) } else { Err(std::mem::take(&mut host.error)) }
    })
}

/// # Safety
/// As many bytes as `bytes` has must have room behind `place`.
unsafe fn hand_over(bytes: &[u8], place: *mut u8) {
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) }
}

/// # Safety
/// `length` bytes must stand behind `place`.
unsafe fn taken(place: *const u8, length: usize) -> Vec<u8> {
    unsafe { std::slice::from_raw_parts(place, length) }.to_vec()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __guest_request(operation: *mut u8, payload: *mut u8) {
    HOST.with_borrow(|host| unsafe {
        hand_over(&host.operation, operation);
        hand_over(&host.payload, payload);
    });
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __guest_response(place: *const u8, length: usize) {
    HOST.with_borrow_mut(|host| host.response = unsafe { taken(place, length) });
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __guest_error(place: *const u8, length: usize) {
    HOST.with_borrow_mut(|host| host.error = unsafe { taken(place, length) });
}

/// The same question always gets the same answer.
#[unsafe(no_mangle)]
unsafe extern "C" fn __host_call(
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
    operation: *const u8,
    operation_length: usize,
    question: *const u8,
    question_length: usize,
) -> usize {
    let mut hasher = DefaultHasher::new();
    unsafe { (taken(operation, operation_length), taken(question, question_length)) }.hash(&mut hasher);
    HOST.with_borrow_mut(|host| {
        let count = host.answers.len().max(1) as u64;
        let answer = host.answers.get((hasher.finish() % count) as usize);
        let answer = answer.map_or(b"!Cannot find it".as_slice(), Vec::as_slice);
        let (answered, worked) = match answer {
            [b'!', error @ ..] => (error.to_vec(), 0),
            answer => (answer.to_vec(), 1),
        };
        host.answered = answered;
        worked
    })
}

#[unsafe(no_mangle)]
extern "C" fn __host_response_len() -> usize {
    HOST.with_borrow(|host| host.answered.len())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __host_response(place: *mut u8) {
    HOST.with_borrow(|host| unsafe { hand_over(&host.answered, place) });
}

#[unsafe(no_mangle)]
extern "C" fn __host_error_len() -> usize {
    __host_response_len()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __host_error(place: *mut u8) {
    unsafe { __host_response(place) };
}

#[unsafe(no_mangle)]
extern "C" fn __console_log(_: *const u8, _: usize) {}
