//! Findings and parse errors as diagnostics.

use std::collections::HashMap;
use std::path::Path;

use gen_lsp_types::{
    CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location, Position,
    Range as PositionRange, Uri,
};

use super::buffer::{Buffer, MAX_BYTES};
use super::checked::Checked;
use super::options::{Capabilities, NAME};
use crate::config::find_mistake;
use crate::escape::{escape, escape_lines};
use crate::linter::{InputError, Level, LocatedFinding};
use crate::policy_settings::SettingsError;
use crate::quick_fix::rest_of_line;
use crate::report::{error_and_help, message_and_help};
use crate::rule_docs;

/// The maximum number of diagnostics of one file: more would slow down the editor, and nobody reads them.
const MAX_IN_FILE: usize = 500;
/// The maximum number of files with diagnostics that are not open.
const MAX_OTHER_FILES: usize = 200;

/// The diagnostics of a file, as the client has them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Published {
    /// The version of the text; `None` if it is not open.
    pub(super) version: Option<i32>,
    /// The diagnostics.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// The diagnostics of all open files, and of others that have some, by URI.
pub(super) fn diagnostics(checked: &Checked, capabilities: Capabilities) -> HashMap<String, Published> {
    let mut published: HashMap<String, Published> = HashMap::new();
    let mut others = 0;
    for (index, file) in checked.files.iter().enumerate() {
        let version = file.buffer.as_ref().map(|buffer| buffer.version);
        let diagnostics = in_file(checked, index, capabilities);
        if version.is_none() && (diagnostics.is_empty() || others == MAX_OTHER_FILES) {
            continue;
        }
        others += usize::from(version.is_none());
        published.insert(file.uri.clone(), Published { version, diagnostics });
    }
    published
}

fn in_file(checked: &Checked, file: usize, capabilities: Capabilities) -> Vec<Diagnostic> {
    let errors = checked.errors(file).filter_map(|error| parse_error(checked, file, error, capabilities));
    let findings = checked.findings(file).filter_map(|located| finding(checked, located, capabilities));
    let mut diagnostics: Vec<Diagnostic> = errors.chain(findings).take(MAX_IN_FILE + 1).collect();
    if diagnostics.len() > MAX_IN_FILE {
        diagnostics.truncate(MAX_IN_FILE);
        diagnostics
            .push(note(format!("only the first {MAX_IN_FILE} findings are shown; `sqledge-ha lint` prints all")));
    }
    diagnostics
}

/// The diagnostic of a finding; `None` if its file is unknown.
pub(super) fn finding(checked: &Checked, located: &LocatedFinding, capabilities: Capabilities) -> Option<Diagnostic> {
    let rule = located.finding.rule;
    let link = || CodeDescription { href: Uri(rule_docs::url(rule)) };
    let related = || {
        located.related.iter().filter_map(|related| {
            let range = checked.range(related.file, &related.span, capabilities.encoding)?;
            let uri = Uri(checked.files.get(related.file)?.uri.clone());
            Some(DiagnosticRelatedInformation { location: Location { uri, range }, message: escape(&related.message) })
        })
    };
    Some(Diagnostic {
        range: checked.range(located.file, &located.span, capabilities.encoding)?,
        severity: Some(match located.level() {
            Level::Error => DiagnosticSeverity::Error,
            Level::Warning => DiagnosticSeverity::Warning,
        }),
        code: Some(rule.into()),
        code_description: capabilities.has_code_description.then(link),
        source: Some(NAME.to_owned()),
        message: escape_lines(&message_and_help(located)).into(),
        related_information: (capabilities.has_related_information && !located.related.is_empty())
            .then(|| related().collect()),
        ..Diagnostic::default()
    })
}

/// The diagnostic of a parse error, on the rest of its line.
fn parse_error(checked: &Checked, file: usize, error: &InputError, capabilities: Capabilities) -> Option<Diagnostic> {
    let span = rest_of_line(checked.text(file), error.error.byte);
    Some(Diagnostic {
        range: checked.range(file, &span, capabilities.encoding)?,
        severity: Some(DiagnosticSeverity::Error),
        source: Some(NAME.to_owned()),
        message: escape_lines(&error_and_help(error)).into(),
        ..Diagnostic::default()
    })
}

/// The diagnostics of a configuration file.
pub(super) fn configuration(buffer: &Buffer, path: &Path, capabilities: Capabilities) -> Published {
    let mistake = find_mistake(path, &buffer.text).map(|SettingsError { span, message }| {
        let span = if span.is_empty() { rest_of_line(&buffer.text, span.start) } else { span };
        Diagnostic {
            range: buffer.lines.range(&buffer.text, &span, capabilities.encoding),
            severity: Some(DiagnosticSeverity::Error),
            source: Some(NAME.to_owned()),
            message: escape_lines(&message).into(),
            ..Diagnostic::default()
        }
    });
    Published { version: Some(buffer.version), diagnostics: mistake.into_iter().collect() }
}

/// The diagnostics of a text that is not checked because of its size.
pub(super) fn too_large(buffer: &Buffer) -> Published {
    let message = format!("not checked: the text is larger than {} MiB", MAX_BYTES >> 20);
    Published { version: Some(buffer.version), diagnostics: vec![note(message)] }
}

/// A remark at the start of a file.
fn note(message: String) -> Diagnostic {
    Diagnostic {
        range: PositionRange { start: Position::new(0, 0), end: Position::new(0, 0) },
        severity: Some(DiagnosticSeverity::Information),
        source: Some(NAME.to_owned()),
        message: message.into(),
        ..Diagnostic::default()
    }
}
