//! Recognizes Helm templates, which also have the extension `.yaml` but are not YAML.

/// Finds the template action that caused a syntax error at `byte`.
///
/// That is an action at the start of any line (YAML allows no value there), or an action on the line of the error or
/// the line before that is outside quotes or contains quotes itself. Other quoted actions are ordinary strings, for
/// example in alert rules and workflows.
pub(super) fn template_at(document: &str, byte: usize) -> Option<usize> {
    let byte = document.floor_char_boundary(byte);
    let (before, after) = document.split_at_checked(byte)?;
    let line_start = before.rfind('\n').map_or(0, |feed| feed + 1);
    let line_end = after.find('\n').map_or(document.len(), |feed| byte + feed);
    let above = before.get(..line_start)?.trim_end();
    let above_start = above.rfind('\n').map_or(0, |feed| feed + 1);
    action(document, line_start, line_end)
        .or_else(|| action(document, above_start, above.len()))
        .or_else(|| document.starts_with("{{").then_some(0).or_else(|| document.find("\n{{").map(|feed| feed + 1)))
}

/// The first `{{` between two bytes of a line that is outside quotes, or whose action contains quotes.
fn action(document: &str, start: usize, end: usize) -> Option<usize> {
    let line = document.get(start..end)?;
    let is_outside = |found: usize| {
        let (before, inside) = line.split_at(found);
        let is_even = |quote| before.matches(quote).count().is_multiple_of(2);
        // In `"{{ include "name" . }}"` the quotes of the action end the string.
        let inside = inside.split_once("}}").map_or(inside, |(inside, _)| inside);
        let ends_string = ['"', '\''].into_iter().any(|quote| !is_even(quote) && inside.contains(quote));
        (is_even('"') && is_even('\'')) || ends_string
    };
    line.match_indices("{{").map(|(found, _)| found).find(|found| is_outside(*found)).map(|found| start + found)
}

#[cfg(test)]
mod tests {
    use super::template_at;

    #[test]
    fn an_action_near_the_error_or_at_the_start_of_a_line_is_found() {
        assert_eq!(template_at("a: {{ .x }}", 5), Some(3));
        assert_eq!(template_at("a: {{ .x }}\n\nb: 1\n", 13), Some(3));
        assert_eq!(template_at("a: 1\nb:\n  c: ]\n\n\n{{ end }}\n", 12), Some(17));
        assert_eq!(template_at("{{ if x }}\na: 1\nb:\n  c: ]\n", 22), Some(0));
        assert_eq!(template_at("a: '{{ .x }}' {{ .y }}", 14), Some(14));
        assert_eq!(template_at(r#"a: "{{ include "b" . }}-c""#, 16), Some(4));
    }

    #[test]
    fn quoted_and_distant_actions_are_ignored() {
        assert_eq!(template_at("a: \"{{ .x }}\" ]", 14), None);
        assert_eq!(template_at("a: |\n  {{ .x }}\nb: 1\nc: ]\n", 24), None);
        assert_eq!(template_at("é", 99), None);
    }
}
