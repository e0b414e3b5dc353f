//! Test documents: random ones in every YAML style, and real ones with random mistakes.

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// Random choices, the same in every run.
pub(crate) struct Choices(TestRng);

impl Choices {
    pub(crate) fn new() -> Self {
        Choices(TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.next_u32() as usize % end
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

/// Plain scalars, most of which have another meaning in some version of YAML.
const PLAIN: [&str; 64] = [
    "a",
    "b c",
    "amd64",
    "kubernetes.io/arch",
    "y",
    "N",
    "yes",
    "No",
    "on",
    "OFF",
    "true",
    "False",
    "tRUE",
    "null",
    "~",
    "Null",
    "nil",
    "0",
    "-0",
    "+1",
    "1433",
    "0644",
    "0o17",
    "0x1F",
    "0b11",
    "-0b1",
    "1_000",
    "1__0",
    "_1",
    "08",
    "0.5",
    ".5",
    "5.",
    "1e3",
    "1E-3",
    "1e400",
    "-.5e+2",
    ".inf",
    "-.INF",
    ".nan",
    "+.inf",
    "12:30:45",
    "1:1",
    "2019-11-04",
    "2001-12-14t21:59:43.10-05:00",
    "9223372036854775808",
    "18446744073709551616",
    "-9223372036854775809",
    "=",
    "<<x",
    "-a",
    "?a",
    ":a",
    "a:b",
    "a#b",
    "100m",
    "8Gi",
    "10.0.0.1",
    "0x",
    "0b2",
    "1,000",
    "é",
    "\u{2028}x",
    "x\u{85}y",
];
const KEYS: [&str; 20] = [
    "a",
    "b",
    "c",
    "name",
    "image",
    "on",
    "1",
    "0644",
    "1.5",
    "yes",
    "\"q\"",
    "'s'",
    "\"<<\"",
    "x/y",
    "~",
    "2019-11-04",
    "? e",
    "!!str t",
    "&k1 m",
    "a b",
];

/// A document in random style.
pub(crate) fn written(choices: &mut Choices) -> String {
    let mut text = String::new();
    if choices.once_in(6) {
        text.push_str(choices.of(&[
            "%YAML 1.1\n---\n",
            "--- # start\n",
            "# first\n",
            "---\n",
            "\u{feff}",
            "%TAG !x! tag:x,2000:\n---\n",
        ]));
    }
    let depth = choices.below(4);
    node(choices, &mut text, 0, depth);
    if choices.once_in(8) {
        text.push_str(choices.of(&["...\n", "# last\n", "\n\n", " \t\n", "... # end"]));
    }
    if choices.once_in(8) {
        text.truncate(text.trim_end_matches('\n').len());
    }
    if choices.once_in(10) {
        text = text.replace('\n', "\r\n");
    }
    if choices.once_in(40) {
        text = text.replace('\n', "\r");
    }
    text
}

/// Writes a node in block style.
fn node(choices: &mut Choices, text: &mut String, indent: usize, depth: usize) {
    if depth == 0 {
        text.push_str(&" ".repeat(indent));
        inline(choices, text, 0);
        end(choices, text);
        return;
    }
    let count = 1 + choices.below(3);
    let is_mapping = !choices.once_in(3);
    for item in 0..count {
        if choices.once_in(12) {
            text.push_str(choices.of(&["\n", "# between\n", "   # askew\n", "  \n"]));
        }
        text.push_str(&" ".repeat(indent));
        if is_mapping {
            let key = choices.of(&KEYS);
            if choices.once_in(10) {
                text.push_str("<<");
            } else {
                text.push_str(key);
                if item > 0 && !choices.once_in(12) && !key.ends_with(['"', '\'']) {
                    text.push_str(&item.to_string());
                }
            }
            if key.starts_with("? ") {
                text.push('\n');
                text.push_str(&" ".repeat(indent));
            }
            text.push_str(choices.of(&[":", ":", ":", ":", " :"]));
        } else {
            text.push('-');
        }
        value(choices, text, indent, depth, is_mapping);
    }
}

/// Writes the value after a key or a dash.
fn value(choices: &mut Choices, text: &mut String, indent: usize, depth: usize, behind_key: bool) {
    if choices.once_in(4) {
        text.push(' ');
        text.push_str(choices.of(&[
            "&a",
            "&b",
            "!!str",
            "!!int",
            "!!float",
            "!!bool",
            "!!null",
            "!!binary",
            "!!map",
            "!!seq",
            "!x",
            "!",
            "!!set",
            "!!timestamp",
            "!!omap",
            "&k1 !!str",
        ]));
    }
    let step = choices.of(&["  ", "  ", " ", "    ", ""]).len();
    match choices.below(8) {
        0..=2 => {
            let step = if behind_key && !choices.once_in(3) { step.max(1) } else { step };
            end(choices, text);
            node(choices, text, indent + step, depth - 1);
        }
        3 => block_scalar(choices, text, indent + step.max(1)),
        4 if !behind_key && depth > 1 => {
            text.push(' ');
            let mut nested = String::new();
            node(choices, &mut nested, indent + 2, depth - 1);
            text.push_str(nested.trim_start_matches(' '));
        }
        _ => {
            text.push(' ');
            inline(choices, text, 0);
            end(choices, text);
        }
    }
}

fn block_scalar(choices: &mut Choices, text: &mut String, indent: usize) {
    text.push(' ');
    text.push_str(choices.of(&["|", ">", "|-", ">-", "|+", ">+", "|2", ">1-", "|+1"]));
    end(choices, text);
    for _ in 0..choices.below(4) {
        let extra = choices.of(&["", "", "", " ", "  ", "\t"]);
        let line = choices.of(&["one", "two three", "# no comment", "", "- a", "a: b", "\"", "\t", "---"]);
        if !line.is_empty() || choices.once_in(2) {
            text.push_str(&" ".repeat(indent));
            text.push_str(extra);
        }
        text.push_str(line);
        text.push('\n');
    }
}

/// Writes a scalar, an alias or a flow collection; inside quotes and brackets it can have several lines.
fn inline(choices: &mut Choices, text: &mut String, depth: usize) {
    match choices.below(14) {
        0..=6 => text.push_str(choices.of(&PLAIN)),
        7 => {
            text.push_str(choices.of(&["*a", "*b", "*k1", "[*a]", "{<<: *a}", "{<<: [*a, *b]}", "{<<: {x: 1}, y: 2}"]))
        }
        8 => {
            let content = choices.of(&PLAIN);
            text.push_str(&format!("'{content}'"));
        }
        9 => text.push_str(choices.of(&[
            "\"\"",
            "\"a\\n\"",
            "\"\\x41\\u00e9\\U0001F600\"",
            "\"a\n  b\"",
            "\"a \\\n   b\"",
            "\"\\t\\/\\e\"",
            "'it''s'",
            "'a\n\n  b'",
            "\"\\ud83d\\ude00\"",
            "\"\\q\"",
            "\"a\\\tb\"",
            "\"\\_\\N\\L\\P\"",
        ])),
        10 | 11 if depth < 3 => {
            text.push('[');
            for _ in 0..choices.below(4) {
                inline(choices, text, depth + 1);
                text.push_str(choices.of(&[", ", ",", " , ", ",\n    ", ", # c\n    "]));
            }
            text.push(']');
        }
        12 | 13 if depth < 3 => {
            text.push('{');
            for _ in 0..choices.below(4) {
                text.push_str(choices.of(&["a", "b", "\"c\"", "'d'", "1", "on", "<<", "? e", "f g"]));
                text.push_str(choices.of(&[": ", ": ", ": ", ":", " : ", ""]));
                inline(choices, text, depth + 1);
                text.push_str(choices.of(&[", ", ",", " ,", ",\n    "]));
            }
            text.push('}');
        }
        _ => text.push_str(choices.of(&[
            "a\n    b",
            "!!str 5",
            "!!int \"5\"",
            "&a x",
            "&b {x: 1}",
            "!!binary aGVsbG8=",
            "? x",
            "- x",
            "@x",
            "`x",
            "%x",
            "|",
            "x: y",
        ])),
    }
}

fn end(choices: &mut Choices, text: &mut String) {
    text.push_str(choices.of(&["\n", "\n", "\n", "\n", " # c\n", " \n", "\t# c\n", "\n\n"]));
}

/// A real document with one to three mistakes.
pub(crate) fn mutated(choices: &mut Choices, real: &[String]) -> String {
    let mut text: Vec<char> = real[choices.below(real.len())].chars().collect();
    for _ in 0..=choices.below(3) {
        let at = choices.below(text.len().max(1)).min(text.len());
        let length = choices.below(12).min(text.len() - at);
        match choices.below(4) {
            0 => drop(text.drain(at..at + length)),
            1 => {
                let copy: Vec<char> = text[at..at + length].to_vec();
                let to = choices.below(text.len().max(1)).min(text.len());
                text.splice(to..to, copy);
            }
            _ => {
                let piece = choices.of(&[
                    ":", ": ", "-", "- ", " ", "  ", "\n", "\t", "\"", "'", "#", " #", "{", "}", "[", "]", ",", "&a ",
                    "*a", "!", "!!str ", "|", ">", "|-\n", "? ", "<<: ", "%", "@", "\r", "\u{feff}", "\u{85}",
                    "\u{2028}", "~", "0", "é", "\\", "\u{7f}", "\u{1}", "---\n",
                ]);
                text.splice(at..at, piece.chars());
            }
        }
    }
    text.into_iter().collect()
}
