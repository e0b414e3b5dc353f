//! Manifests without SQL, in typical proportions.

use std::fmt::Write;
use std::path::Path;

use crate::template::Template;

/// The number of files of each kind in 99 files.
const SHARES: [(&str, usize); 17] = [
    ("web", 17),
    ("worker", 10),
    ("service", 12),
    ("settings", 10),
    ("access", 8),
    ("nightly", 6),
    ("cache", 3),
    ("agent", 3),
    ("network", 5),
    ("database-client", 3),
    ("rollout-values", 6),
    ("kustomization", 6),
    ("alerts", 3),
    ("pipeline", 3),
    ("certificates", 2),
    ("dashboard", 1),
    ("resource-definition", 1),
];

/// The templates in these proportions, mixed.
pub(crate) fn templates(folder: &Path) -> Vec<Template> {
    let mut templates: Vec<Template> =
        SHARES.into_iter().flat_map(|(name, share)| (0..share).map(move |_| template(folder, name))).collect();
    let count = templates.len();
    // The step is coprime to their number, so that each gets a different position.
    let mut order: Vec<(usize, Template)> =
        templates.drain(..).enumerate().map(|(index, template)| (index * 37 % count, template)).collect();
    order.sort_by_key(|(place, _)| *place);
    order.into_iter().map(|(_, template)| template).collect()
}

fn template(folder: &Path, name: &str) -> Template {
    match name {
        "certificates" => Template::new(name, "yaml", &certificates()),
        "dashboard" => Template::new(name, "json", &dashboard()),
        "resource-definition" => Template::new(name, "yaml", &resource_definition()),
        _ => Template::read(&folder.join(name).with_extension("yaml")),
    }
}

/// A Secret and a ConfigMap with certificates: 12 KB of base64.
fn certificates() -> String {
    let mut text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: trusted-authorities\ndata:\n".to_owned();
    let mut state = 7;
    for authority in 0..6 {
        writeln!(text, "  authority-{authority}.pem: |\n    -----BEGIN CERTIFICATE-----").unwrap();
        (0..24).for_each(|_| writeln!(text, "    {}", base64(&mut state, 64)).unwrap());
        text.push_str("    -----END CERTIFICATE-----\n");
    }
    text.push_str(
        "---\napiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata:\n  name: gateway-tls\ndata:\n",
    );
    writeln!(text, "  tls.crt: {}\n  tls.key: {}", base64(&mut state, 2400), base64(&mut state, 2272)).unwrap();
    text
}

fn base64(state: &mut u32, length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..length)
        .map(|_| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(ALPHABET[(*state >> 26) as usize])
        })
        .collect()
}

/// A dashboard of a monitoring tool: 30 KB of JSON.
fn dashboard() -> String {
    let mut text = "{\n  \"title\": \"Shop\",\n  \"timezone\": \"browser\",\n  \"panels\": [\n".to_owned();
    for panel in 0..40 {
        let (x, y) = (panel % 2 * 12, panel / 2 * 8);
        write!(
            text,
            r#"    {{
      "id": {panel},
      "type": "timeseries",
      "title": "Requests of part {panel}",
      "gridPos": {{"h": 8, "w": 12, "x": {x}, "y": {y}}},
      "fieldConfig": {{
        "defaults": {{"unit": "reqps", "min": 0, "custom": {{"lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}}}},
        "overrides": []
      }},
      "options": {{"legend": {{"displayMode": "list", "placement": "bottom", "showLegend": true}}}},
      "targets": [
        {{
          "refId": "A",
          "expr": "sum by (code) (rate(http_requests_total{{job=\"part-{panel}\", namespace=\"$namespace\"}}[5m]))",
          "legendFormat": "{{{{code}}}}"
        }}
      ]
    }}{}
"#,
            if panel < 39 { "," } else { "" }
        )
        .unwrap();
    }
    text.push_str("  ],\n  \"schemaVersion\": 39,\n  \"version\": 12\n}\n");
    text
}

/// A CustomResourceDefinition with a pod schema, as operators have it: 100 KB.
fn resource_definition() -> String {
    let mut text = r#"apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: pipelines.flow.example.com
  annotations:
    controller-gen.kubebuilder.io/version: v0.16.5
spec:
  group: flow.example.com
  scope: Namespaced
  names:
    kind: Pipeline
    listKind: PipelineList
    plural: pipelines
    singular: pipeline
  versions:
    - name: v1
      served: true
      storage: true
      subresources:
        status: {}
      schema:
        openAPIV3Schema:
          type: object
          properties:
"#
    .to_owned();
    for group in 0..12 {
        writeln!(text, "            stage{group}:\n              type: object\n              description: |-").unwrap();
        writeln!(text, "                The settings of stage {group}, which runs after the one before it has ended.")
            .unwrap();
        writeln!(text, "              required:\n                - field0\n              properties:").unwrap();
        for field in 0..24 {
            write!(
                text,
                "                field{field}:
                  description: |-
                    How the stage treats field {field}: values that are not listed below are refused
                    by the API server, and an absent one is filled in with the default.
                    More info: https://example.com/docs/pipelines#field-{field}
                  type: string
                  default: keep
                  enum:
                    - keep
                    - drop
                    - rename
"
            )
            .unwrap();
        }
    }
    text
}
