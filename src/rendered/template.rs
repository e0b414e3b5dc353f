//! Finds the line of a template that a rendered line comes from, if it is unambiguous.

use std::ops::Range;

/// A template file and its lines.
#[derive(Clone, Debug)]
pub struct Template {
    text: String,
    /// The byte ranges of the lines, without surrounding blanks.
    lines: Vec<Range<usize>>,
    /// The indices of the lines, sorted by content.
    sorted: Vec<usize>,
}

impl Template {
    /// A template with this text.
    pub fn new(text: String) -> Self {
        let lines = lines(&text);
        let mut sorted: Vec<usize> = (0..lines.len()).collect();
        let content = |index: usize| lines.get(index).and_then(|line| text.get(line.clone())).unwrap_or_default();
        sorted.sort_by(|one, other| content(*one).cmp(content(*other)));
        Template { text, lines, sorted }
    }

    /// The template's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the byte range of the template that corresponds to `span` of a rendered document, if the text is the
    /// same there. The first line must be unique in the template and in the document, with its indentation or, because
    /// templates can change the indentation, without it. All other lines of the span must be equal, too.
    pub fn locate(&self, document: &str, span: Range<usize>) -> Option<Range<usize>> {
        let rendered = lines(document);
        let first = rendered.iter().position(|line| line.start <= span.start && span.start <= line.end)?;
        let last = rendered.iter().rposition(|line| line.start <= span.end && span.end <= line.end)?;
        let here = self.matching_line(document, &rendered, rendered.get(first)?)?;
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

    /// The first `.Values.…` on the only line that writes `key`.
    pub fn value_reference(&self, key: &str) -> Option<&str> {
        const VALUES: &str = ".Values.";
        let texts = self.lines.iter().filter_map(|line| self.text.get(line.clone()));
        let writes_key = |line: &&str| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'));
        let line = single(texts.filter(writes_key))?;
        let reference = line.get(line.find(VALUES)?..)?;
        let is_part = |character: char| character.is_alphanumeric() || matches!(character, '.' | '_' | '-');
        let end = reference.find(|character: char| !is_part(character)).unwrap_or(reference.len());
        reference.get(..end)
    }

    /// The index of the unique line of the template that matches a line of the document.
    fn matching_line(&self, document: &str, rendered: &[Range<usize>], line: &Range<usize>) -> Option<usize> {
        let content = document.get(line.clone()).filter(|content| !content.is_empty())?;
        let indentation = indentation(document, line);
        let same_content = |text: &str, other: &Range<usize>| text.get(other.clone()) == Some(content);
        let same_line = |text: &str, other: &Range<usize>| {
            same_content(text, other) && self::indentation(text, other) == indentation
        };
        let candidates = self.lines_with(content);
        let in_template = |like: &dyn Fn(&str, &Range<usize>) -> bool| {
            let lines =
                candidates.iter().filter(|index| self.lines.get(**index).is_some_and(|line| like(&self.text, line)));
            single(lines.copied())
        };
        let in_document =
            |like: &dyn Fn(&str, &Range<usize>) -> bool| single(rendered.iter().filter(|line| like(document, line)));
        let unique = |like: &dyn Fn(&str, &Range<usize>) -> bool| in_document(like).and(in_template(like));
        unique(&same_line).or_else(|| unique(&same_content))
    }

    /// The indices of the lines with this content.
    fn lines_with(&self, content: &str) -> &[usize] {
        let line =
            |index: &usize| self.lines.get(*index).and_then(|line| self.text.get(line.clone())).unwrap_or_default();
        let start = self.sorted.partition_point(|index| line(index) < content);
        let end = self.sorted.partition_point(|index| line(index) <= content);
        self.sorted.get(start..end).unwrap_or_default()
    }
}

/// The item of an iterator that has exactly one.
fn single<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let item = items.next();
    item.filter(|_| items.next().is_none())
}

/// The byte ranges of the lines of a text, without surrounding blanks.
fn lines(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let line = |line: &str| {
        let content = line.trim();
        let range = start + (line.len() - line.trim_start().len());
        start += line.len();
        range..range + content.len()
    };
    text.split_inclusive('\n').map(line).collect()
}

/// The blanks before a line's content.
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

    /// The text in the template at the location of `marked` in the document.
    fn located(document: &str, marked: &str) -> Option<String> {
        let start = document.find(marked).unwrap();
        let template = Template::new(TEMPLATE.to_owned());
        template.locate(document, start..start + marked.len()).map(|span| template.text().get(span).unwrap().to_owned())
    }

    #[test]
    fn a_unique_line_is_found_with_any_indentation() {
        for marked in ["kind: Deployment", "RollingUpdate", "strategy"] {
            assert_eq!(
                located("kind: Deployment\nspec:\n      strategy: {type: RollingUpdate}\n", marked).unwrap(),
                marked
            );
        }
    }

    #[test]
    fn a_line_with_rendered_values_or_from_another_template_is_not_found() {
        assert_eq!(located("spec:\n  replicas: 2\n", "2"), None);
        assert_eq!(located("kind: Deployment\nimage: x\n", "x"), None);
        assert_eq!(located("---\nkind: Service\n", "---"), None, "it is not unique in the template");
    }

    #[test]
    fn indentation_distinguishes_lines_with_the_same_content() {
        let document = "kind: Deployment\nspec:\n  template:\n    spec:\n      args: []\n";
        assert_eq!(located(document, "spec:\n  t"), None, "the next line is different");
        assert_eq!(located(document, "spec:").unwrap(), "spec:");
        let inner = document.replace("\nspec:", "\nother:");
        assert_eq!(located(&inner, "spec:").unwrap(), "spec:");
        let twice = document.replace("  template:", "spec:\n  template:");
        assert_eq!(located(&twice, "spec:"), None);
    }

    #[test]
    fn a_value_reference_is_on_the_only_line_with_the_key() {
        let template = |text: &str| Template::new(text.to_owned());
        let reference = |text: &str| template(text).value_reference("replicas").map(str::to_owned);
        assert_eq!(Template::new(TEMPLATE.to_owned()).value_reference("replicas"), Some(".Values.replicas"));
        assert_eq!(reference("replicas: {{.Values.sql.replicas|default 1}}").as_deref(), Some(".Values.sql.replicas"));
        assert_eq!(reference("replicas: 2 # not .Values\n"), None);
        assert_eq!(reference("replicas: {{ .Values.a }}\nreplicas: {{ .Values.b }}\n"), None);
    }

    #[test]
    fn all_lines_of_a_span_must_match() {
        assert_eq!(located("a:\n- |\n  one\n  two\n", "one\n  two").unwrap(), "one\n        two");
        assert_eq!(located("a:\n- |\n  one\n  three\n", "one\n  three"), None);
        assert_eq!(located("metadata: {name: a}\n  b\n", "metadata: {name: a}\n  b"), None, "the template ends");
    }

    #[test]
    fn line_endings_do_not_matter() {
        assert_eq!(located("kind: Deployment\r\nspec:\r\n", "Deployment").unwrap(), "Deployment");
    }
}
