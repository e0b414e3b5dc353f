#!/bin/sh
# Adds the files of a new rule: new.sh ID. The unit test, the corpus and the proof of the new rule fail until each is
# filled in.
set -eu
cd "$(dirname "$0")/../.."

id=${1:-}
case $id in
    '' | [!a-z]* | *[!a-z0-9-]* | *- | *--*)
        echo "usage: make rule NAME=some-rule (lower-case words joined by hyphens)" >&2
        exit 2
        ;;
esac
module=$(printf '%s' "$id" | tr - _)
rule=policy/src/rules/$module.rs
corpus=e2e/corpus/$id
cases=e2e/proof/necessity/cases.rs
[ ! -e "$rule" ] && [ ! -e "$corpus" ] || { echo "the rule $id exists already" >&2; exit 2; }

# Inserts the text on standard input into a file, before the line that ends the list: insert FILE FIRST-LINE LAST-LINE.
insert() {
    text=$(cat)
    TEXT=$text awk -v first="$2" -v last="$3" '
        index($0, first) == 1 { inside = 1 }
        inside && $0 == last { print ENVIRON["TEXT"]; inside = 0 }
        { print }' "$1" >"$1.new"
    mv "$1.new" "$1"
}

sed "s/@ID@/$id/" e2e/rules/template.rs.txt >"$rule"
printf '    %s,\n' "$module" | insert policy/src/rules.rs 'rules! {' '}'
mkdir -p "$corpus/pass" "$corpus/fail"
cp e2e/examples/right.yaml "$corpus/pass/right.yaml"
cp e2e/examples/right.yaml "$corpus/fail/wrong.yaml"
insert "$cases" 'pub(crate) fn cases()' '    ]' <<CASE
        Case {
            rule: "$id",
            stage: Stage::Pods,
            says: "\`field: wrong\`",
            broken: right,
            event: "it is applied",
            cause: wait,
            breaks: Ok(Guarantee::ComesBack),
        },
CASE

line() {
    printf '  %-52s %s\n' "$1" "$2"
}
echo "Added, and failing until you fill them in:"
line "$rule" "documentation, check and unit test"
line "policy/src/rules.rs" "one line; move it to its group"
line "$corpus/pass, fail" "change fail/wrong.yaml until it breaks the rule; name files after what they show"
line "$cases" "a case in the order of the rules, or none if the rule only warns or is off"
echo "Then run:"
line "INSTA_UPDATE=always make test-rules" "the unit tests of all rules, and the corpus with its snapshots"
line "make generate" "documentation, settings schema and other generated files"
line "make proof" "e2e/PROOF.md"
echo 'See "A new rule" in CONTRIBUTING.md.'
