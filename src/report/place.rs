//! What reports share: where a finding stands, and what is said of it.
//!
//! What is read from a file stands there. What is rendered has a place in the rendered text, which is no file, and comes
//! from a template, where it has a place only if it stands there as it is.

use std::borrow::Cow;
use std::ops::Range;

use sqledge_ha_policy::finding::Finding;

use crate::exit::plain;
use crate::input::Rendered;
use crate::linter::Level;
use crate::linter::{InputError, LintResult, LintedFile, LocatedFinding, ObjectId, RelatedLocation};
use crate::manifest::{Lines, Position};

/// Finds lines and columns. What is known of the text that was asked about last is kept: findings come text by text.
pub(crate) struct Texts<'o> {
    outcome: &'o LintResult,
    last: Option<Text<'o>>,
}

struct Text<'o> {
    index: usize,
    lines: Lines<'o>,
    rendered: Option<Rendered>,
}

/// A place to show.
#[derive(Clone, Debug)]
pub(crate) struct Place<'o> {
    /// The file; of rendered text the template, or what is known of it.
    pub(crate) file: Cow<'o, str>,
    /// Where in the file; `None` if what is rendered does not stand there as it is.
    pub(crate) region: Option<Region>,
    /// Where in the rendered text, if it is rendered.
    pub(crate) rendered: Option<Region>,
    /// The text to show: the file's, or the rendered one.
    pub(crate) text: Cow<'o, str>,
    /// Which bytes of it.
    pub(crate) span: Range<usize>,
}

/// From one position to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// The first character.
    pub(crate) start: Position,
    /// The character behind the last.
    pub(crate) end: Position,
}

impl Region {
    fn of(lines: &Lines<'_>, span: &Range<usize>) -> Self {
        Region { start: lines.position(span.start), end: lines.position(span.end) }
    }
}

impl Place<'_> {
    /// How a person is told the file: whether lines are its own or rendered ones.
    pub(crate) fn title(&self) -> String {
        if self.region.is_some() { self.file.to_string() } else { format!("{} (rendered)", self.file) }
    }

    /// Where in [`Place::text`].
    pub(crate) fn shown(&self) -> Option<Region> {
        self.region.or(self.rendered)
    }
}

impl<'o> Texts<'o> {
    /// The texts of an outcome.
    pub(crate) fn new(outcome: &'o LintResult) -> Self {
        Texts { outcome, last: None }
    }

    fn text(&mut self, index: usize) -> Option<(&'o LintedFile, &Text<'o>)> {
        let manifest = self.outcome.files.get(index)?;
        if self.last.as_ref().is_none_or(|last| last.index != index) {
            let rendered = manifest.source.as_ref().and_then(|source| source.rendered(&manifest.text));
            self.last = Some(Text { index, lines: Lines::new(&manifest.text), rendered });
        }
        self.last.as_ref().map(|text| (manifest, text))
    }

    /// The lines of a text that is a file; `None` if it is rendered.
    pub(crate) fn lines(&mut self, index: usize) -> Option<(&'o LintedFile, &Lines<'o>)> {
        self.text(index).filter(|(_, text)| text.rendered.is_none()).map(|(manifest, text)| (manifest, &text.lines))
    }

    /// The place of some bytes of a text; `None` if there is no such text.
    fn place(&mut self, index: usize, span: &Range<usize>) -> Option<Place<'o>> {
        let (manifest, text) = self.text(index)?;
        let region = Region::of(&text.lines, span);
        let (file, whole) = (Cow::Borrowed(manifest.name.as_str()), Cow::Borrowed(manifest.text.as_str()));
        let here = Place { file, region: Some(region), rendered: None, text: whole, span: span.clone() };
        let Some((origin, document)) = text.rendered.as_ref().and_then(|rendered| rendered.origin(span.start)) else {
            return Some(here);
        };
        let file = Cow::Owned(origin.file.clone());
        let rendered = Place { file, region: None, rendered: Some(region), ..here };
        let Some(template) = &origin.template else { return Some(rendered) };
        let inside = span.start - document.start..span.end.saturating_sub(document.start);
        let exact = manifest.text.get(document).and_then(|document| template.locate(document, inside));
        let Some(span) = exact else { return Some(rendered) };
        let region = Region::of(&Lines::new(template.text()), &span);
        Some(Place { region: Some(region), text: Cow::Owned(template.text().to_owned()), span, ..rendered })
    }

    /// Where a finding stands.
    pub(crate) fn finding(&mut self, located: &LocatedFinding) -> Option<Place<'o>> {
        self.place(located.file, &located.span)
    }

    /// Where the other end of a relation stands.
    pub(crate) fn related(&mut self, related: &RelatedLocation) -> Option<Place<'o>> {
        self.place(related.file, &related.span)
    }

    /// Where something could not be read, if its text is there.
    pub(crate) fn unread(&mut self, unread: &InputError) -> Option<Place<'o>> {
        let byte = unread.error.byte;
        self.place(unread.file?, &(byte..byte))
    }
}

/// Which file something that could not be read is in.
pub(crate) fn unread_file<'p>(unread: &'p InputError, place: Option<&'p Place<'_>>) -> &'p str {
    place.map_or(unread.name.as_str(), |place| &place.file)
}

/// Words beside which a password may stand, and how letters of them may be hidden.
const DELICATE: [&str; 7] = ["value", "password", "secret", "args", "command", "token", "\\"];

/// Whether a part of a text speaks of variables, commands or secrets.
pub(crate) fn is_delicate(text: &str) -> bool {
    let text = text.to_lowercase();
    DELICATE.iter().any(|word| text.contains(word))
}

/// A level as all reports but the human one call it.
pub(crate) fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
    }
}

/// What is wrong, and why it matters.
pub(crate) fn statement(finding: &Finding) -> String {
    match &finding.reason {
        Some(reason) => format!("{}: {reason}", finding.message),
        None => finding.message.to_string(),
    }
}

/// What is wrong, why it matters, and on a line of its own what to do.
pub(crate) fn statement_and_help(finding: &Finding) -> String {
    format!("{}\nHelp: {}", statement(finding), finding.help)
}

/// Why something could not be read, and on a line of its own what to do.
pub(crate) fn problem_and_help(unread: &InputError) -> String {
    match &unread.error.help {
        Some(help) => format!("{}\nHelp: {help}", unread.error.message),
        None => unread.error.message.clone(),
    }
}

/// An object by its kind, namespace and name.
pub(crate) fn object_name(object: &ObjectId) -> String {
    let kind = object.kind.as_deref().unwrap_or("object");
    let name = object.name.as_deref().unwrap_or("without a name");
    plain(&match &object.namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    })
}

/// A number and what it counts.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// One line that says it all.
pub(crate) fn summary(outcome: &LintResult) -> String {
    let seen = format!(
        "{} among {} in {}",
        counted(outcome.workloads, "workload"),
        counted(outcome.objects, "object"),
        counted(outcome.files.len(), "file")
    );
    let (errors, warnings) = (outcome.count(Level::Error), outcome.count(Level::Warning));
    let unread = match outcome.errors.len() {
        0 => String::new(),
        count => format!("; {} could not be read", counted(count, "input")),
    };
    match (errors + warnings, outcome.workloads) {
        (0, 0) => return format!("nothing was checked: {seen}{unread}"),
        (0, _) => return format!("nothing is wrong{}: {seen}{unread}", ignored(outcome)),
        _ => {}
    }
    let fixable = match outcome.fixable() {
        0 => String::new(),
        count => format!(", {count} with a safe fix"),
    };
    let ignored = ignored(outcome);
    format!("{}, {}{fixable}{ignored}: {seen}{unread}", counted(errors, "error"), counted(warnings, "warning"))
}

/// What comments let pass.
fn ignored(outcome: &LintResult) -> String {
    match outcome.ignored {
        None | Some(0) => String::new(),
        Some(count) => format!(", {count} ignored"),
    }
}
