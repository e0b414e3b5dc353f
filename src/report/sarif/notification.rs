//! What could not be read, and what else a reader should know.

use super::log::{Location, Message, Notification, Region};
use super::{MOST_RESULTS, physical};
use crate::linter::{InputError, LintResult};
use crate::report::address::Addresses;
use crate::report::place::{Texts, counted, problem_and_help, unread_file};

/// The notifications of a run, of whose findings some are left out.
pub(super) fn all(outcome: &LintResult, addresses: &Addresses, left_out: usize) -> Vec<Notification> {
    let mut texts = Texts::new(outcome);
    let mut notifications: Vec<Notification> =
        outcome.errors.iter().map(|unread| problem(unread, &mut texts, addresses)).collect();
    if left_out > 0 {
        let message = format!(
            "{} left out, warnings before errors: a run may have {MOST_RESULTS} results",
            counted(left_out, "finding")
        );
        notifications.push(Notification { level: "warning", message: Message::of(&message), locations: Vec::new() });
    }
    let note = |text: &String| Notification { level: "note", message: Message::of(text), locations: Vec::new() };
    notifications.extend(outcome.notes.iter().map(note));
    notifications
}

fn problem(unread: &InputError, texts: &mut Texts<'_>, addresses: &Addresses) -> Notification {
    let place = texts.unread(unread);
    let region = place.as_ref().and_then(|place| place.region).map(|region| Region::from(region.start));
    let physical_location = physical(&addresses.of(unread_file(unread, place.as_ref())), region);
    let location = Location { id: None, message: None, physical_location, logical_locations: Vec::new() };
    Notification { level: "error", message: Message::of(&problem_and_help(unread)), locations: vec![location] }
}
