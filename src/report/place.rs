//! Where in which file a finding or a problem is shown.
//!
//! What is read from a file stands there. What is rendered has a place in the rendered text, which is no file, and comes
//! from a template, where it has a place only if it stands there as it is.

use std::cell::OnceCell;
use std::ops::Range;

use crate::input::Rendered;
use crate::linter::{Manifest, Outcome};
use crate::manifest::{Lines, Position};

/// Turns bytes of an outcome's texts into places.
#[derive(Debug)]
pub struct Places<'o> {
    outcome: &'o Outcome,
    texts: Vec<Text<'o>>,
}

/// What is known of a text. Most of them are never asked about.
#[derive(Debug, Default)]
struct Text<'o> {
    lines: OnceCell<Lines<'o>>,
    rendered: OnceCell<Option<Rendered>>,
}

/// A place to show.
#[derive(Debug)]
pub struct Place<'p> {
    /// The file; of rendered text the template, or what is known of it.
    pub file: &'p str,
    /// Where in the file; `None` if what is rendered does not stand there as it is.
    pub region: Option<Region>,
    /// Where in the rendered text, if it is rendered.
    pub rendered: Option<Region>,
    /// The text to show: the file's, or the rendered one.
    pub text: &'p str,
    /// Which bytes of it.
    pub span: Range<usize>,
}

/// From one position to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The first character.
    pub start: Position,
    /// The character after the last one.
    pub end: Position,
}

impl Region {
    fn of(lines: &Lines<'_>, span: &Range<usize>) -> Self {
        Region { start: lines.position(span.start), end: lines.position(span.end) }
    }
}

impl Place<'_> {
    /// How a person is told the file: whether lines are its own or rendered ones.
    pub fn title(&self) -> String {
        if self.region.is_some() { self.file.to_owned() } else { format!("{} (rendered)", self.file) }
    }

    /// Where in [`Place::text`].
    pub fn shown(&self) -> Option<Region> {
        self.region.or(self.rendered)
    }
}

impl<'o> Places<'o> {
    /// For the texts of an outcome.
    pub fn new(outcome: &'o Outcome) -> Self {
        Places { outcome, texts: outcome.manifests.iter().map(|_| Text::default()).collect() }
    }

    /// The place of some bytes of a text; `None` if there is no such text.
    pub fn of(&self, manifest: usize, span: &Range<usize>) -> Option<Place<'_>> {
        let (text, manifest) = (self.texts.get(manifest)?, self.outcome.manifests.get(manifest)?);
        let region = Region::of(text.lines.get_or_init(|| Lines::new(&manifest.text)), span);
        let here = Place {
            file: &manifest.name,
            region: Some(region),
            rendered: None,
            text: &manifest.text,
            span: span.clone(),
        };
        let Some(rendered) = text.rendered.get_or_init(|| rendered(manifest)) else { return Some(here) };
        let Some((origin, document)) = rendered.origin(span.start) else { return Some(here) };
        let rendered = Place { file: &origin.file, region: None, rendered: Some(region), ..here };
        let Some(template) = &origin.template else { return Some(rendered) };
        let inside = span.start - document.start..span.end.saturating_sub(document.start);
        let exact = manifest.text.get(document).and_then(|document| template.locate(document, inside));
        let Some(span) = exact else { return Some(rendered) };
        let region = Region::of(&Lines::new(template.text()), &span);
        Some(Place { region: Some(region), text: template.text(), span, ..rendered })
    }
}

fn rendered(manifest: &Manifest) -> Option<Rendered> {
    manifest.source.as_ref()?.rendered(&manifest.text)
}
