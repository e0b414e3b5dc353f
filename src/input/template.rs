//! Which line of a template a rendered line comes from, where that is beyond doubt.

use std::fs;
use std::ops::Range;
use std::path::Path;

/// Longest template that is looked at, in bytes; Helm itself reads none of that size.
const LONGEST: u64 = 16 << 20;

/// A file that was rendered, with its lines.
#[derive(Clone, Debug)]
pub struct Template {
    text: String,
    /// Where the lines are, without blanks around them, in the order of the text.
    lines: Vec<Range<usize>>,
    /// The same lines as indices, in the order of what they say.
    sorted: Vec<usize>,
}

impl Template {
    /// Reads a template; `None` if there is no such file of text.
    pub(super) fn read(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().filter(|metadata| metadata.is_file() && metadata.len() <= LONGEST)?;
        Some(Template::new(fs::read_to_string(path).ok()?))
    }

    fn new(text: String) -> Self {
        let lines = lines(&text);
        let mut sorted: Vec<usize> = (0..lines.len()).collect();
        let said = |index: usize| lines.get(index).and_then(|line| text.get(line.clone())).unwrap_or_default();
        sorted.sort_by(|one, other| said(*one).cmp(said(*other)));
        Template { text, lines, sorted }
    }

    /// The template's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of the template that `span` of a rendered document is made of, if they stand there as they are. The line
    /// in question has to stand once in the template and once in the document, with its indentation or, because
    /// templates indent anew, without; otherwise it is not sure which one is meant.
    ///
    /// Where the span goes on, the lines that follow have to be the same as well.
    pub fn locate(&self, document: &str, span: Range<usize>) -> Option<Range<usize>> {
        let rendered = lines(document);
        let first = rendered.iter().position(|line| line.start <= span.start && span.start <= line.end)?;
        let last = rendered.iter().rposition(|line| line.start <= span.end && span.end <= line.end)?;
        let here = self.only(document, &rendered, rendered.get(first)?)?;
        let pairs = rendered.get(first..=last)?.iter().zip(self.lines.get(here..)?);
        let mut end = None;
        for (of_document, of_template) in pairs.clone() {
            if document.get(of_document.clone())? != self.text.get(of_template.clone())? {
                return None;
            }
            end = Some((of_document.start, of_template.start));
        }
        if pairs.len() != last + 1 - first {
            return None;
        }
        let ((start, start_there), (end, end_there)) =
            (pairs.clone().map(|(one, other)| (one.start, other.start)).next()?, end?);
        Some(start_there + (span.start - start)..end_there + (span.end - end))
    }

    /// The one line of the template that a line of the document can be.
    fn only(&self, document: &str, rendered: &[Range<usize>], line: &Range<usize>) -> Option<usize> {
        let said = document.get(line.clone()).filter(|said| !said.is_empty())?;
        let indentation = indentation(document, line);
        let alike = |text: &str, other: &Range<usize>| text.get(other.clone()) == Some(said);
        let exactly =
            |text: &str, other: &Range<usize>| alike(text, other) && self::indentation(text, other) == indentation;
        let here = self.alike(said);
        let in_template = |like: &dyn Fn(&str, &Range<usize>) -> bool| {
            let lines = here.iter().filter(|index| self.lines.get(**index).is_some_and(|line| like(&self.text, line)));
            only(lines.copied())
        };
        let in_document =
            |like: &dyn Fn(&str, &Range<usize>) -> bool| only(rendered.iter().filter(|line| like(document, line)));
        let by = |like: &dyn Fn(&str, &Range<usize>) -> bool| in_document(like).and(in_template(like));
        by(&exactly).or_else(|| by(&alike))
    }

    /// The lines that say this.
    fn alike(&self, said: &str) -> &[usize] {
        let line =
            |index: &usize| self.lines.get(*index).and_then(|line| self.text.get(line.clone())).unwrap_or_default();
        let start = self.sorted.partition_point(|index| line(index) < said);
        let end = self.sorted.partition_point(|index| line(index) <= said);
        self.sorted.get(start..end).unwrap_or_default()
    }
}

/// The only thing there is.
fn only<T>(mut things: impl Iterator<Item = T>) -> Option<T> {
    let thing = things.next();
    thing.filter(|_| things.next().is_none())
}

/// Where the lines of a text are, without blanks around them.
fn lines(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let line = |line: &str| {
        let said = line.trim();
        let range = start + (line.len() - line.trim_start().len());
        start += line.len();
        range..range + said.len()
    };
    text.split_inclusive('\n').map(line).collect()
}

/// What stands before a line's text.
fn indentation<'t>(text: &'t str, line: &Range<usize>) -> &'t str {
    let before = text.get(..line.start).unwrap_or_default();
    before.rsplit('\n').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "\
{{- range .Values.names }}
---
kind: Deployment
spec:
  replicas: {{ $.Values.replicas }}
  strategy: {type: RollingUpdate}
  template:
    {{- include \"pod\" . | nindent 4 }}
    # spec: of the pod
      args:
      - |
        one
        two
{{- end }}
---
kind: Service
metadata: {name: a}
";

    /// What stands in the template where `marked` stands in the document.
    fn there(document: &str, marked: &str) -> Option<String> {
        let start = document.find(marked).unwrap();
        let template = Template::new(TEMPLATE.to_owned());
        template.locate(document, start..start + marked.len()).map(|span| template.text().get(span).unwrap().to_owned())
    }

    #[test]
    fn only_files_are_read() {
        assert!(Template::read(Path::new("/dev/zero")).is_none());
    }

    #[test]
    fn a_line_that_stands_once_in_both_is_found_however_it_is_indented() {
        for marked in ["kind: Deployment", "RollingUpdate", "strategy"] {
            assert_eq!(
                there("kind: Deployment\nspec:\n      strategy: {type: RollingUpdate}\n", marked).unwrap(),
                marked
            );
        }
    }

    #[test]
    fn a_line_of_values_or_of_another_template_is_not() {
        assert_eq!(there("spec:\n  replicas: 2\n", "2"), None);
        assert_eq!(there("kind: Deployment\nimage: x\n", "x"), None);
        assert_eq!(there("---\nkind: Service\n", "---"), None, "it stands twice in the template");
    }

    #[test]
    fn indentation_tells_lines_apart_that_say_the_same() {
        let document = "kind: Deployment\nspec:\n  template:\n    spec:\n      args: []\n";
        assert_eq!(there(document, "spec:\n  t"), None, "the next line is another one");
        assert_eq!(there(document, "spec:").unwrap(), "spec:");
        let inner = document.replace("\nspec:", "\nother:");
        assert_eq!(there(&inner, "spec:").unwrap(), "spec:");
        let twice = document.replace("  template:", "spec:\n  template:");
        assert_eq!(there(&twice, "spec:"), None);
    }

    #[test]
    fn what_goes_over_several_lines_is_found_as_a_whole_or_not_at_all() {
        assert_eq!(there("a:\n- |\n  one\n  two\n", "one\n  two").unwrap(), "one\n        two");
        assert_eq!(there("a:\n- |\n  one\n  three\n", "one\n  three"), None);
        assert_eq!(there("metadata: {name: a}\n  b\n", "metadata: {name: a}\n  b"), None, "the template ends");
    }

    #[test]
    fn line_endings_do_not_matter() {
        assert_eq!(there("kind: Deployment\r\nspec:\r\n", "Deployment").unwrap(), "Deployment");
    }
}
