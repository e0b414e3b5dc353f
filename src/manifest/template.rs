//! Charts lie about in the same folders as manifests. Their templates end in `.yaml` and are no YAML.

/// Where the template action stands that explains a fault at `byte`, if one does.
///
/// That is an action at the very start of a line (no YAML value can be there), or one outside of quotes on the line of the fault
/// or the line before it. Quoted actions are ordinary strings: alert rules and workflows are full of them.
pub(super) fn template_at(chunk: &str, byte: usize) -> Option<usize> {
    let byte = chunk.floor_char_boundary(byte);
    let (before, after) = chunk.split_at_checked(byte)?;
    let line_start = before.rfind('\n').map_or(0, |feed| feed + 1);
    let line_end = after.find('\n').map_or(chunk.len(), |feed| byte + feed);
    let above = before.get(..line_start)?.trim_end();
    let above_start = above.rfind('\n').map_or(0, |feed| feed + 1);
    action(chunk, line_start, line_end)
        .or_else(|| action(chunk, above_start, above.len()))
        .or_else(|| chunk.starts_with("{{").then_some(0).or_else(|| chunk.find("\n{{").map(|feed| feed + 1)))
}

/// The first `{{` between two bytes of a line that stands outside of quotes.
fn action(chunk: &str, start: usize, end: usize) -> Option<usize> {
    let line = chunk.get(start..end)?;
    let found = line.find("{{")?;
    let before = line.get(..found)?;
    let is_even = |quote| before.matches(quote).count().is_multiple_of(2);
    (is_even('"') && is_even('\'')).then_some(start + found)
}

#[cfg(test)]
mod tests {
    use super::template_at;

    #[test]
    fn an_action_on_the_line_or_above_or_at_the_start_of_any_line_explains_a_fault() {
        assert_eq!(template_at("a: {{ .x }}", 5), Some(3));
        assert_eq!(template_at("a: {{ .x }}\n\nb: 1\n", 13), Some(3));
        assert_eq!(template_at("a: 1\nb:\n  c: ]\n\n\n{{ end }}\n", 12), Some(17));
        assert_eq!(template_at("{{ if x }}\na: 1\nb:\n  c: ]\n", 22), Some(0));
    }

    #[test]
    fn quoted_actions_and_far_ones_do_not() {
        assert_eq!(template_at("a: \"{{ .x }}\" ]", 14), None);
        assert_eq!(template_at("a: |\n  {{ .x }}\nb: 1\nc: ]\n", 24), None);
        assert_eq!(template_at("é", 99), None);
    }
}
