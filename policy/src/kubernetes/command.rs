//! What a container runs, as far as a manifest shows it.

use crate::json::cursor::Cursor;

const SHELLS: [&str; 6] = ["sh", "bash", "ash", "dash", "ksh", "zsh"];

/// Directories of programs; what runs from another one is a script that the manifest does not show.
const PROGRAM_DIRECTORIES: [&str; 7] =
    ["/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/opt/mssql-tools/bin", "/opt/mssql-tools18/bin"];

/// Words that come before a command: of a shell, and programs that run it.
const PREFIXES: [&str; 15] = [
    "!", "if", "then", "else", "elif", "do", "while", "until", "exec", "nohup", "setsid", "sudo", "time", "busybox",
    "env",
];

/// The number of assignments of a script that are read. A script can have thousands.
const MAX_ASSIGNMENTS: usize = 32;

/// The longest assignment that is read, in bytes.
const MAX_ASSIGNMENT_LENGTH: usize = 120;

/// One command with its arguments, without quotes. Of variables, only those are expanded that the same script sets and
/// that name the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    words: Vec<String>,
}

impl Command {
    /// The name of its program, without a directory.
    pub fn program(&self) -> &str {
        file_name(self.words.first().map_or("", String::as_str))
    }

    /// The words after its program.
    pub fn arguments(&self) -> impl Iterator<Item = &str> {
        self.words.iter().skip(1).map(String::as_str)
    }

    /// Whether it runs a script whose text is not in the manifest.
    pub fn runs_unseen_script(&self) -> bool {
        self.words.first().is_some_and(|program| is_unseen(program))
            || self.words.iter().any(|word| word.ends_with(".sh"))
    }

    /// Replaces a variable in place of the program by the program that the script sets it to, unless that can be a
    /// script that the manifest does not show.
    fn expand_program(&mut self, assignments: &[String]) {
        let Some(first) = self.words.first_mut() else { return };
        let Some(variable) = first.strip_prefix('$') else { return };
        let name = variable.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(variable);
        let mut known = None;
        for assignment in assignments {
            let value = assignment.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
            let Some(value) = value else { continue };
            let program = value.split(' ').next().unwrap_or_default();
            if is_unseen(program) || value.contains(".sh") {
                return;
            }
            known = Some(program);
        }
        if let Some(program) = known {
            *first = program.to_owned();
        }
    }
}

/// Whether a program can be a script whose text is not in the manifest.
fn is_unseen(program: &str) -> bool {
    let is_elsewhere = program.rsplit_once('/').is_some_and(|(directory, _)| !PROGRAM_DIRECTORIES.contains(&directory));
    is_elsewhere || program.contains('$') || matches!(program, "." | "source" | "eval")
}

/// The name of a program, without a directory.
fn file_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// Whether a word comes before a command.
fn is_prefix(word: &str) -> bool {
    PREFIXES.contains(&file_name(word)) && !is_unseen(word)
}

/// The script of a shell with `-c`: its first word after the options.
pub fn shell_script<'a>(argv: &[&'a str]) -> Option<&'a str> {
    let mut words = argv.iter().copied().skip_while(|word| is_prefix(word) || is_assignment(word));
    words.next().filter(|program| SHELLS.contains(&file_name(program)))?;
    let mut has_script = false;
    loop {
        let word = words.next()?;
        if word == "--" {
            return words.next().filter(|_| has_script);
        }
        if !word.starts_with(['-', '+']) {
            return has_script.then_some(word);
        }
        if word.starts_with("--") {
            continue;
        }
        has_script |= word.contains('c');
        if word.ends_with(['o', 'O']) {
            // The name of an option follows, such as `pipefail`.
            words.next();
        }
    }
}

/// The commands in `argv`: those of the script of a shell with `-c`, or the one that it is.
pub fn commands(argv: &[&str]) -> Vec<Command> {
    match shell_script(argv) {
        Some(script) => {
            let Script { mut commands, assignments, .. } = split_script(script);
            commands.iter_mut().for_each(|command| command.expand_program(&assignments));
            commands
        }
        None => {
            let mut script = Script::default();
            script.push_command(argv.iter().map(|word| (*word).to_owned()).collect());
            script.commands
        }
    }
}

/// Whether `argv` is a script that starts programs in the background, so that several can run at once.
pub fn has_background(argv: &[&str]) -> bool {
    shell_script(argv).is_some_and(|script| split_script(script).has_background)
}

/// The words of `command` and `args` of a container, or of the field `exec` of a hook.
pub fn argv<'a>(parent: &Cursor<'a>) -> Vec<&'a str> {
    let words = ["command", "args"].into_iter().flat_map(|field| parent.at(field).items());
    words.filter_map(|word| word.str()).collect()
}

/// What a shell script runs.
#[derive(Default)]
struct Script {
    /// Its commands, in order. Conditions are not looked at.
    commands: Vec<Command>,
    /// What it assigns to variables.
    assignments: Vec<String>,
    /// Whether a command runs in the background.
    has_background: bool,
}

/// Splits a shell script into its commands.
fn split_script(text: &str) -> Script {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let mut reader = ScriptReader { rest: text, ..ScriptReader::default() };
    while let Some(character) = reader.next() {
        reader.read(character);
    }
    // An open quote ends with the script.
    reader.end_command();
    reader.script
}

/// The quotes around a character.
#[derive(Clone, Copy, Default, PartialEq)]
enum Quotes {
    /// None; a backslash escapes the next character.
    #[default]
    None,
    /// `'…'`; a backslash is one.
    Single,
    /// `$'…'`; a backslash escapes the next character.
    Dollar,
    /// `"…"`; a backslash escapes the next character.
    Double,
}

impl Quotes {
    /// The character that closes them.
    fn end(self) -> Option<char> {
        match self {
            Quotes::None => None,
            Quotes::Single | Quotes::Dollar => Some('\''),
            Quotes::Double => Some('"'),
        }
    }
}

/// A shell script that is being split.
#[derive(Default)]
struct ScriptReader<'s> {
    /// What follows.
    rest: &'s str,
    script: Script,
    /// The words of the command so far.
    words: Vec<String>,
    /// The word so far.
    word: String,
    /// Whether the word has quotes, so that it is one even if it is empty.
    is_quoted: bool,
    quotes: Quotes,
    /// Whether the word is in braces that do not group commands, as in `${NAME}` and `{a,b}`.
    in_braces: bool,
}

impl ScriptReader<'_> {
    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    fn read(&mut self, character: char) {
        if self.quotes.end() == Some(character) {
            self.quotes = Quotes::None;
        } else if character == '\\' && self.quotes != Quotes::Single {
            // After an escaped line feed, the word goes on.
            let escaped = self.next().filter(|escaped| *escaped != '\n');
            self.word.extend(escaped);
        } else if self.quotes == Quotes::None {
            self.read_unquoted(character);
        } else {
            self.word.push(character);
        }
    }

    fn read_unquoted(&mut self, character: char) {
        match character {
            '"' => self.open(Quotes::Double),
            '\'' if self.word.ends_with('$') => self.open(Quotes::Dollar),
            '\'' => self.open(Quotes::Single),
            '#' if !self.has_word() => {
                self.rest = self.rest.trim_start_matches(|skipped| skipped != '\n');
            }
            '{' if !self.word.is_empty() => {
                self.word.push(character);
                self.in_braces = true;
            }
            '}' if self.in_braces => {
                self.word.push(character);
                self.in_braces = false;
            }
            // The redirections `>&` and `&>`.
            '&' if self.word.ends_with(['<', '>']) || self.rest.starts_with('>') => {
                self.word.push(character);
            }
            '&' => {
                self.end_command();
                match self.rest.strip_prefix('&') {
                    Some(rest) => self.rest = rest,
                    None => self.script.has_background = true,
                }
            }
            ' ' | '\t' | '\r' => self.end_word(),
            '\n' | ';' | '|' | '(' | ')' | '{' | '}' => self.end_command(),
            _ => self.word.push(character),
        }
    }

    fn open(&mut self, quotes: Quotes) {
        self.quotes = quotes;
        self.is_quoted = true;
    }

    fn has_word(&self) -> bool {
        self.is_quoted || !self.word.is_empty()
    }

    fn end_word(&mut self) {
        if self.has_word() {
            self.words.push(std::mem::take(&mut self.word));
            self.is_quoted = false;
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.script.push_command(std::mem::take(&mut self.words));
    }
}

/// Whether a word assigns a value to a variable.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_'))
}

impl Script {
    /// Adds a command without the words that come before it: those of the shell, and assignments.
    fn push_command(&mut self, words: Vec<String>) {
        let mut rest = Vec::new();
        for word in words {
            if !rest.is_empty() {
                rest.push(word);
            } else if is_assignment(&word) {
                if self.assignments.len() < MAX_ASSIGNMENTS && word.len() <= MAX_ASSIGNMENT_LENGTH {
                    self.assignments.push(word);
                }
            } else if !is_prefix(&word) {
                rest.push(word);
            }
        }
        if !rest.is_empty() {
            self.commands.push(Command { words: rest });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::test;

    fn shown(container: Value) -> Vec<String> {
        let container = Cursor::root(&container);
        commands(&argv(&container)).into_iter().map(|command| command.words.join(" ")).collect()
    }

    #[test]
    fn a_script_is_split_into_its_commands() {
        let script = |text: &str| shown(json!({"command": ["/bin/sh", "-ec"], "args": [text]}));
        assert_eq!(script("chown -R 10001:0 '/a b' && ls"), ["chown -R 10001:0 /a b", "ls"]);
        assert_eq!(
            script("umask 0; if A=1 true\nthen\n sudo chmod \"777\" /x; fi"),
            ["umask 0", "true", "chmod 777 /x", "fi"]
        );
        assert_eq!(script("a \\\n  b & wait"), ["a b", "wait"]);
        assert_eq!(script("nohup setsid /opt/mssql/bin/sqlservr &"), ["/opt/mssql/bin/sqlservr"]);
        assert_eq!(script("echo 'open"), ["echo open"]);
        assert_eq!(script("echo 'open\n"), ["echo open"]);
        assert_eq!(script("\\w"), ["w"]);
        assert_eq!(script("' '\n"), [" "]);
        assert_eq!(script("a >f 2>&1 &>g && b"), ["a >f 2>&1 &>g", "b"]);
        assert_eq!(script("a b/{c,d}; e() { f; }"), ["a b/{c,d}", "e", "f"]);
        assert!(script("").is_empty());
    }

    #[test]
    fn comments_and_escapes_end_where_they_do_in_a_shell() {
        let script = |text: &str| shown(json!({"command": ["bash", "-c", text]}));
        assert_eq!(script("# don't\na;# \"b\nc #d"), ["a", "c"]);
        assert_eq!(script("a#b '#c' \\#d $# ${#e} \"\"#f"), ["a#b #c #d $# ${#e} #f"]);
        assert_eq!(script("a $'b\\'c'; d \"e\\\"f\"; g 'h\\'; i"), ["a $b'c", "d e\"f", "g h\\", "i"]);
        assert!(script("# only").is_empty());
    }

    #[test]
    fn the_script_of_a_shell_follows_its_options() {
        let cases: [(&[&str], Option<&str>); 13] = [
            (&["sh", "-c", "a"], Some("a")),
            (&["sh", "-ce", "a"], Some("a")),
            (&["/bin/sh", "-c", "--", "a"], Some("a")),
            (&["bash", "-euo", "pipefail", "-c", "a"], Some("a")),
            (&["bash", "-c", "-o", "pipefail", "--", "a"], Some("a")),
            (&["bash", "--norc", "+x", "-c", "a"], Some("a")),
            (&["busybox", "sh", "-c", "a"], Some("a")),
            (&["/usr/bin/env", "A=1", "bash", "-c", "a"], Some("a")),
            (&["/own/env", "bash", "-c", "a"], None),
            (&["bash", "--norc", "a"], None),
            (&["bash", "/a", "-c", "b"], None),
            (&["bash", "-c", "--"], None),
            (&["env"], None),
        ];
        for (argv, expected) in cases {
            assert_eq!(shell_script(argv), expected, "{argv:?}");
        }
    }

    #[test]
    fn an_ampersand_starts_a_program_in_the_background() {
        let has = |script: &str| has_background(&["sh", "-c", script]);
        assert!(has("a & b") && has("a&") && has("&& a&b") && has("(a) & b"));
        assert!(!has("a # & b") && !has("a '&' \"&\" \\&"));
        assert!(!has("a && b") && !has("a >f 2>&1; b &>g") && !has("") && !has_background(&["a", "&"]));
    }

    #[test]
    fn a_program_is_one_command() {
        assert_eq!(shown(json!({"command": ["chown", "10001", "/a;b"]})), ["chown 10001 /a;b"]);
        assert_eq!(shown(json!({"command": ["/bin/busybox", "chown", "1", "/a"]})), ["chown 1 /a"]);
        assert_eq!(shown(json!({"args": ["sleep", 5, "x"]})), ["sleep x"]);
        assert!(shown(json!({"command": "sleep"})).is_empty());
    }

    #[test]
    fn scripts_that_the_manifest_does_not_show_are_known() {
        let unseen = |argv: &[&str]| commands(argv).iter().any(Command::runs_unseen_script);
        assert!(unseen(&["/init/start"]) && unseen(&["sh", "/start.sh"]) && unseen(&["sh", "-c", ". /env; $RUN"]));
        assert!(!unseen(&["/usr/bin/chown", "1"]) && !unseen(&["sh", "-c", "ls /x"]) && !unseen(&[]));
    }

    #[test]
    fn a_program_in_a_variable_of_the_script_is_seen() {
        let script = |text: &str| shown(json!({"command": ["bash", "-c", text]}));
        assert_eq!(
            script("RUN=/usr/bin/bcp; $RUN in; \"${RUN}\" out; ${RUN} x"),
            ["/usr/bin/bcp in", "/usr/bin/bcp out", "/usr/bin/bcp x"]
        );
        assert_eq!(script("RUN='sqlcmd -C'\nuntil $RUN -Q x; do sleep 1; done"), ["sqlcmd -Q x", "sleep 1", "done"]);
        assert_eq!(script("if a; then RUN=sqlcmd; else RUN=/own/start; fi; $RUN"), ["a", "fi", "$RUN"]);
        assert_eq!(script("RUN='bash /x.sh'; $RUN"), ["$RUN"]);
        assert_eq!(script("RUNNER=a; $RUN; echo ${RUNNER}"), ["$RUN", "echo ${RUNNER}"]);
        let many = ["A=1; ".repeat(MAX_ASSIGNMENTS), "RUN=sqlcmd; $RUN".to_owned()].concat();
        assert_eq!(script(&many), ["$RUN"]);
    }
}
