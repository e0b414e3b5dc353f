//! Texts that are not manifests: unreadable text is an error, and an empty file is nothing to check.

use super::{file, right};

#[test]
fn prose_is_an_error() {
    file("letter.yaml", "Dear all,\n\tin kind reply: the warehouse moves: on Monday. {\n", 4);
}

#[test]
fn an_incomplete_document_is_an_error() {
    file(
        "half-in-flow.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template: {spec: {containers: [{image: azure-sql-edge",
        4,
    );
    let right = right();
    let (half, _) = right.split_once("Developer").unwrap();
    file("half-in-quotes.yaml", format!("{half}\"Devel"), 4);
}

#[test]
fn documents_before_a_syntax_error_are_checked() {
    let broken = right().replace("type: LoadBalancer", "type: ClusterIP") + "---\nkind: [\n";
    file("right-then-broken.yaml", broken, 4);
}

#[test]
fn other_encodings_than_utf_8_are_errors() {
    file("latin-1.yaml", b"kind: Pod\nname: caf\xe9\n", 4);
    let wide = |bytes: fn(u16) -> [u8; 2]| "\u{feff}kind: Pod\n".encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    file("utf-16-le.yaml", wide(u16::to_le_bytes), 4);
    file("utf-16-be.yaml", wide(u16::to_be_bytes), 4);
    file("utf-16-without-a-mark.yaml", &wide(u16::to_be_bytes)[2..], 4);
    file("no-text-at-all.yaml", [0_u8, 159, 146, 150, 0, 1, 2], 4);
}

#[test]
fn an_empty_file_is_nothing_to_check() {
    file("empty.yaml", "", 3);
    file("only-comments.yaml", "# nothing here\n---\n# nor here\n", 3);
    file("only-a-byte-order-mark.yaml", "\u{feff}", 3);
}

#[test]
fn a_byte_order_mark_and_windows_line_endings_change_nothing() {
    file("from-windows.yaml", format!("\u{feff}{}", right().replace('\n', "\r\n")), 0);
}

#[test]
fn a_helm_template_is_recognized() {
    file("helm.yaml", right().replace("replicas: 1", "replicas: {{ .Values.replicas }}"), 4);
    let control = right().replace("      securityContext:", "      {{- if .Values.group }}\n      securityContext:");
    file("helm-control.yaml", control, 4);
}

#[test]
fn a_duplicate_key_is_an_error() {
    file("twice.yaml", right().replace("  replicas: 1\n", "  replicas: 1\n  replicas: 2\n"), 4);
    file(
        "twice-far-apart.yaml",
        right().replace("        - name: sqledge\n", "        - name: sqledge\n          env: []\n"),
        4,
    );
}
