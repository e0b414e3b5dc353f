//! Expressions of Helm in YAML: while an object is written, words stand in for them that need no quotes.

/// The expressions of one template, by the words that stand in for them.
#[derive(Debug, Default)]
pub(super) struct Expressions(Vec<(String, Expression)>);

#[derive(Debug)]
enum Expression {
    /// Any text in place of the word.
    Raw(String),
    /// What an expression in Helm's language comes to: quoted where it is a whole scalar, so that it stays text.
    Text(String),
    /// Lines in place of the line that has the word, as deep as that one.
    Lines(String),
}

/// In lines: how deep they are, and how deep a member of theirs is, in spaces.
const DEPTH: &str = "DEPTH";
const INNER: &str = "INNER";

impl Expressions {
    /// A word for text that is written as it is.
    pub(super) fn raw(&mut self, text: impl Into<String>) -> String {
        self.word(Expression::Raw(text.into()))
    }

    /// A word for the text that an expression comes to, alone or as a part of other text. It may be a name in Kubernetes.
    pub(super) fn text(&mut self, expression: &str) -> String {
        self.word(Expression::Text(expression.to_owned()))
    }

    /// A word for lines in place of an item of a list, or of a member of an object. `DEPTH` in them is how deep they are,
    /// and `INNER` how deep what they hold, in spaces.
    pub(super) fn lines(&mut self, text: impl Into<String>) -> String {
        self.word(Expression::Lines(text.into()))
    }

    /// Puts the expressions into YAML in the places of their words.
    pub(super) fn fill(&self, yaml: &str) -> String {
        yaml.lines().map(|line| self.fill_line(line) + "\n").collect()
    }

    fn fill_line(&self, line: &str) -> String {
        let mut filled = line.to_owned();
        for (word, expression) in self.0.iter().filter(|(word, _)| line.contains(word)) {
            match expression {
                Expression::Lines(text) => return indented(text, line.len() - line.trim_start().len()),
                Expression::Raw(text) => filled = filled.replace(word, text),
                Expression::Text(text) => {
                    let quote = if is_whole_scalar(line, word) { " | quote" } else { "" };
                    filled = filled.replace(word, &format!("{{{{ {text}{quote} }}}}"));
                }
            }
        }
        filled
    }

    fn word(&mut self, expression: Expression) -> String {
        // All of one length, so that none is the beginning of another.
        let word = format!("helm-expression-{:03}", self.0.len());
        self.0.push((word.clone(), expression));
        word
    }
}

fn is_whole_scalar(line: &str, word: &str) -> bool {
    let before = line.strip_suffix(word).unwrap_or_default();
    before.ends_with(": ") || before.trim_start() == "- "
}

fn indented(text: &str, depth: usize) -> String {
    let text = text.replace(DEPTH, &depth.to_string()).replace(INNER, &(depth + 2).to_string());
    let lines: Vec<String> = text.lines().map(|line| format!("{}{line}", " ".repeat(depth))).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_replaced_by_what_they_stand_for() {
        let mut expressions = Expressions::default();
        let namespace = expressions.text(".Release.Namespace");
        let replicas = expressions.raw("{{ .Values.replicas }}");
        let labels = expressions.lines("{{- with .labels }}\nlabels:\n  {{- toYaml . | nindent INNER }}\n{{- end }}");
        let yaml = format!(
            "namespace: {namespace}\nitems:\n- {namespace}\n- a.{namespace}.svc\n- x: {replicas}\n  {labels}: null\n"
        );
        assert_eq!(
            expressions.fill(&yaml),
            "\
namespace: {{ .Release.Namespace | quote }}
items:
- {{ .Release.Namespace | quote }}
- a.{{ .Release.Namespace }}.svc
- x: {{ .Values.replicas }}
  {{- with .labels }}
  labels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
"
        );
    }
}
