//! Input errors and notes as SARIF notifications.

use std::path::Path;

use super::log::{Location, Message, Notification, Region};
use super::{MAX_RESULTS, physical_location};
use crate::counted::counted;
use crate::linter::{InputError, LintResult};
use crate::report::location::SourceFiles;
use crate::report::path::ReportPath;
use crate::report::text::{error_and_help, error_file};

/// The notifications of a run. `omitted` is the number of omitted findings.
pub(super) fn all(result: &LintResult, directory: &Path, omitted: usize) -> Vec<Notification> {
    let mut files = SourceFiles::new(result);
    let mut notifications: Vec<Notification> =
        result.errors.iter().map(|error| error_notification(error, &mut files, directory)).collect();
    if omitted > 0 {
        let message = format!(
            "omitted {}, warnings first: GitHub accepts {MAX_RESULTS} results of a run",
            counted(omitted, "finding")
        );
        notifications.push(Notification { level: "warning", message: Message::new(&message), locations: Vec::new() });
    }
    let note = |text: &String| Notification { level: "note", message: Message::new(text), locations: Vec::new() };
    notifications.extend(result.notes.iter().map(note));
    notifications
}

fn error_notification(error: &InputError, files: &mut SourceFiles<'_>, directory: &Path) -> Notification {
    if error.is_directory {
        // SARIF locations are files, so the directory is in the message.
        let message = format!("{}: {}", error.name, error_and_help(error));
        return Notification { level: "error", message: Message::new(&message), locations: Vec::new() };
    }
    let file_location = files.error(error);
    let region =
        file_location.as_ref().and_then(|file_location| file_location.range).map(|region| Region::from(region.start));
    let physical_location =
        physical_location(&ReportPath::new(error_file(error, file_location.as_ref()), directory), region);
    let location = Location { id: None, message: None, physical_location, logical_locations: Vec::new() };
    Notification { level: "error", message: Message::new(&error_and_help(error)), locations: vec![location] }
}
