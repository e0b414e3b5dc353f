//! `sqledge-ha fix`.

mod rewriting;

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};

use similar::TextDiff;

use self::rewriting::rewrite;
use crate::cli::{Fix, Level};
use crate::config::{self, Linting};
use crate::escape::escape;
use crate::exit::{ExitStatus, Failure};
use crate::fixer::{Fate, Fixing, fix};
use crate::input::{self, Source};
use crate::linter::{self, Located, Manifest, notes_on_comments};
use crate::manifest::{EditError, Lines, edit};
use crate::message::{describe_io_error, print_message};
use crate::report::{self, counted};

/// Mends manifests in place, or shows what it would change.
///
/// # Errors
/// [`Failure`] with exit code 2 for wrong flags or configuration, and 4 if standard output cannot be written.
pub fn run(flags: &Fix) -> Result<ExitStatus, Failure> {
    let Linting { settings, exclusion } = config::linting(&flags.judging, &flags.inputs)?;
    let found = input::find_and_read(&flags.inputs.paths, &exclusion, &linter::reader(&settings));
    let mut before = linter::lint(found.texts, found.missing, &settings, flags.inputs.partial);
    if !flags.judging.no_ignores {
        before.drop_ignored();
    }
    let after = fix(&before, &settings, flags.inputs.partial, flags.unsafe_fixes);
    let mut delivery = Delivery { flags, changed: 0, fixed: 0, unwritten: 0, stays: Vec::new() };
    let manifests = before.manifests.iter().zip(&after.outcome.manifests).zip(&after.fixed);
    for ((before, after), fixed) in manifests {
        delivery.deliver(before, &after.text, *fixed)?;
    }
    report::human::write_errors(&before, &mut anstream::stderr().lock())?;
    tell(&delivery, &before, &after);
    before.notes.iter().for_each(|note| print_message("note", note));
    if !flags.judging.no_ignores {
        let partial = flags.inputs.partial;
        let is_all = before.has_judged_all(partial) && after.outcome.has_judged_all(partial);
        let notes = notes_on_comments(&delivery.standing(&before, &after), &settings, is_all);
        notes.iter().for_each(|note| print_message("note", note));
    }
    if let Some(note) = found.excluded.note().filter(|_| before.workloads == 0) {
        print_message("note", &note);
    }
    Ok(end(&delivery, &before, &after))
}

/// What is done with new texts.
struct Delivery<'f> {
    flags: &'f Fix,
    /// The files that are, or would be, changed, and the findings that are mended by that.
    changed: usize,
    fixed: usize,
    /// The files that could not be.
    unwritten: usize,
    /// Of each file, whether it has its old text in the end.
    stays: Vec<bool>,
}

impl Delivery<'_> {
    fn is_dry(&self) -> bool {
        self.flags.diff || self.flags.check
    }

    /// Shows a change, or makes it.
    fn deliver(&mut self, before: &Manifest, after: &str, fixed: usize) -> io::Result<()> {
        let path = before.source.as_ref().and_then(Source::path);
        self.stays.push(self.is_dry() || before.text == after);
        if path.is_none() && !self.is_dry() {
            // What comes in on standard input goes out, changed or not, and with every byte that no edit touches.
            print(after)?;
        }
        if before.text == after {
            return Ok(());
        }
        if self.flags.diff {
            let diff = TextDiff::from_lines(before.text.as_str(), after);
            let (old, new) = (format!("a/{}", before.name), format!("b/{}", before.name));
            print(&fit(diff.unified_diff().header(&old, &new).to_string()))?;
        }
        if let Some(path) = path.filter(|_| !self.is_dry())
            && let Err(error) = rewrite(path, &self.flags.inputs.paths, &before.text, after)
        {
            print_message("error", &format!("{}: not fixed: {}", before.name, describe_io_error(&error)));
            self.unwritten += 1;
            self.stays.last_mut().into_iter().for_each(|stays| *stays = true);
            return Ok(());
        }
        self.changed += 1;
        self.fixed += fixed;
        Ok(())
    }

    /// The texts that a person finds in the files in the end.
    fn standing<'m>(&self, before: &'m linter::Outcome, after: &'m Fixing) -> Vec<&'m Manifest> {
        let both = before.manifests.iter().zip(&after.outcome.manifests);
        both.zip(&self.stays).map(|((before, after), stays)| if *stays { before } else { after }).collect()
    }
}

/// Writes all of it, also what does not end a line, byte for byte.
fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// A diff as programs take it; on a terminal without characters that would drive it.
fn fit(diff: String) -> String {
    if !io::stdout().is_terminal() {
        return diff;
    }
    let fit = |line: &str| line.split('\t').map(escape).collect::<Vec<_>>().join("\t");
    diff.lines().map(|line| fit(line) + "\n").collect()
}

/// Says what was fixed, what was not, where that stands in the text that a person finds, and why.
fn tell(delivery: &Delivery<'_>, before: &linter::Outcome, after: &Fixing) {
    let verb = if delivery.is_dry() { "would fix" } else { "fixed" };
    print_message(verb, &format!("{} in {}", counted(delivery.fixed, "finding"), counted(delivery.changed, "file")));
    let stays = |located: &&Located| delivery.stays.get(located.manifest) == Some(&true);
    // Of several that are alike the first counts, which is put in last.
    let standing: HashMap<Key<'_>, &Located> =
        before.findings.iter().filter(stays).rev().map(|located| (key(located), located)).collect();
    let mut places = Places { last: None };
    for (located, fate) in after.outcome.findings.iter().zip(&after.fates) {
        // What only fixing brings about stands in the fixed text alone.
        let (located, manifests) = match standing.get(&key(located)) {
            Some(standing) => (*standing, &before.manifests),
            None => (located, &after.outcome.manifests),
        };
        let Some(manifest) = manifests.get(located.manifest) else { continue };
        let (what, why) = match fate {
            Fate::Fixed => continue,
            Fate::Refused(why) => ("refused", format!("{why}{}", defined(&mut places, manifest, located, *why))),
            Fate::Unsafe => ("left", "--unsafe fixes it, and may move or destroy something".to_owned()),
            Fate::Left => ("left", "only a person can decide".to_owned()),
        };
        let place = places.position(manifest, located.span.start);
        print_message(what, &format!("{place}: {}: {why}", located.finding.rule));
    }
}

/// What tells a finding from others, in whichever text: its manifest, document, rule and pointer.
type Key<'f> = (usize, usize, &'static str, &'f str);

fn key(located: &Located) -> Key<'_> {
    (located.manifest, located.document, located.finding.rule, located.finding.pointer.as_str())
}

/// Where what cannot be edited is defined, if that is elsewhere.
fn defined<'m>(places: &mut Places<'m>, manifest: &'m Manifest, located: &Located, why: EditError) -> String {
    let EditError::Aliased(_) = why else { return String::new() };
    // The byte is one of the fixed text, and the finding may be one of the old.
    let fix = located.finding.fix.as_ref();
    let refused = fix.and_then(|fix| edit(manifest.text.get(located.chunk.clone())?, &fix.edits).err());
    let Some(EditError::Aliased(byte)) = refused else { return String::new() };
    format!(", at {}", places.position(manifest, located.chunk.start + byte))
}

/// Finds places. The lines of the text that was asked about last are kept: findings come text by text.
struct Places<'m> {
    last: Option<(&'m Manifest, Lines<'m>)>,
}

impl<'m> Places<'m> {
    /// A place, as editors take it.
    fn position(&mut self, manifest: &'m Manifest, byte: usize) -> String {
        let last = self.last.take().filter(|(last, _)| std::ptr::eq(*last, manifest));
        let (_, lines) = self.last.insert(last.unwrap_or_else(|| (manifest, Lines::new(&manifest.text))));
        let position = lines.position(byte);
        format!("{}:{}:{}", escape(&manifest.name), position.line, position.column)
    }
}

fn end(delivery: &Delivery<'_>, before: &linter::Outcome, after: &Fixing) -> ExitStatus {
    let would_change = delivery.is_dry() && delivery.changed > 0;
    let partial = delivery.flags.inputs.partial;
    let nothing = before.workloads == 0 && (!partial || before.ungoverned > 0);
    if delivery.unwritten > 0 || !before.unread.is_empty() {
        ExitStatus::Unreadable
    } else if would_change || after.outcome.count(Level::Error) > 0 {
        ExitStatus::Findings
    } else if nothing {
        ExitStatus::NothingToCheck
    } else {
        ExitStatus::Clean
    }
}
