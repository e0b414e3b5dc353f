//! Names, messages and the summary line, as all formats print them.

use super::location::Location;
use crate::counted::counted;
use crate::escape::escape;
use crate::linter::{InputError, Level, LintResult, LocatedFinding, ObjectId};

/// The name of a level.
pub fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
    }
}

/// A finding's message and reason, and when the ignore comment or entry for it expired.
pub(super) fn message_and_reason(located: &LocatedFinding) -> String {
    let LocatedFinding { finding, expired_ignore, .. } = located;
    let message = match &finding.reason {
        Some(reason) => format!("{}: {reason}", finding.message),
        None => finding.message.to_string(),
    };
    match expired_ignore {
        Some(expired) => format!("{message}; {expired}"),
        None => message,
    }
}

/// A finding's message and reason, and what its file was rendered for, if the file does not say so: a base can have
/// several overlays.
pub(super) fn message_in(located: &LocatedFinding, location: &Location<'_>) -> String {
    let message = message_and_reason(located);
    match location.rendered_elsewhere() {
        Some(by) => format!("{message} (rendered by {by})"),
        None => message,
    }
}

/// A finding's message and reason, and its help on a second line.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn message_and_help(located: &LocatedFinding) -> String {
    with_help(&message_and_reason(located), located)
}

/// The same, with what the file was rendered for.
pub(super) fn message_and_help_in(located: &LocatedFinding, location: &Location<'_>) -> String {
    with_help(&message_in(located, location), located)
}

fn with_help(message: &str, located: &LocatedFinding) -> String {
    format!("{message}\nHelp: {}", located.finding.help)
}

/// An input error's message, and its help on a second line.
pub(crate) fn error_and_help(error: &InputError) -> String {
    match &error.error.help {
        Some(help) => format!("{}\nHelp: {help}", error.error.message),
        None => error.error.message.clone(),
    }
}

/// The file of an input error.
pub(super) fn error_file<'p>(error: &'p InputError, location: Option<&'p Location<'_>>) -> &'p str {
    location.map_or(error.name.as_str(), |location| location.file)
}

/// An object's kind, namespace and name.
pub fn object_name(object: &ObjectId) -> String {
    let kind = object.kind.as_deref().unwrap_or("object");
    let name = object.name.as_deref().unwrap_or("without a name");
    escape(&match &object.namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    })
}

/// The names of the selected products.
fn products(result: &LintResult) -> String {
    result.engines.iter().map(|engine| engine.product).collect::<Vec<_>>().join(" or ")
}

/// The end of a summary: the number of unreadable inputs, if there are any.
pub fn unreadable(result: &LintResult) -> String {
    match result.errors.len() {
        0 => String::new(),
        count => format!("; {}", counted(count, "unreadable input")),
    }
}

/// The summary line.
pub fn summary(result: &LintResult) -> String {
    let (objects, files) = (counted(result.objects, "object"), counted(result.files.len(), "file"));
    let unreadable = unreadable(result);
    if result.workloads == 0 && result.findings.is_empty() {
        return if result.objects == 0 && !result.errors.is_empty() {
            format!("nothing checked{unreadable}")
        } else {
            format!("nothing checked: no {} workload in {objects}, {files}{unreadable}", products(result))
        };
    }
    let workloads = counted(result.workloads, "workload");
    let ignored = match result.ignored {
        None | Some(0) => String::new(),
        Some(count) => format!(" ({count} ignored)"),
    };
    if result.findings.is_empty() {
        return format!("no findings{ignored} in {workloads}, {objects}, {files}{unreadable}");
    }
    let errors = counted(result.count(Level::Error), "error");
    let warnings = counted(result.count(Level::Warning), "warning");
    let fixable = match result.fixable() {
        0 => String::new(),
        count => format!("; `sqledge-ha fix` fixes {count}"),
    };
    format!("{errors}, {warnings}{ignored} in {workloads} ({objects}, {files}){fixable}{unreadable}")
}
