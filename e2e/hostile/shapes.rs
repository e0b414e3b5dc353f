//! Shapes that nobody meant: nesting without an end, aliases that explode, values of the wrong type, and of the wrong size.

use super::{file, right};

#[test]
fn nesting_has_an_end() {
    file("deep-in-flow.yaml", format!("kind: {}{}", "[".repeat(10_000), "]".repeat(10_000)), 4);
    file("deep-in-flow-unclosed.yaml", format!("kind: {}", "{a: ".repeat(10_000)), 4);
    file("deep-in-blocks.yaml", (0..10_000).map(|depth| " ".repeat(depth) + "kind:\n").collect::<String>(), 4);
    file("deep-in-dashes.yaml", "- ".repeat(10_000) + "kind\n", 4);
    file("deep.json", "{\"kind\":".repeat(10_000) + "1" + &"}".repeat(10_000), 4);
}

#[test]
fn aliases_do_not_explode() {
    let bomb = (1..12).fold("kind0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let again = vec![format!("*a{}", level - 1); 9].join(", ");
        format!("{text}kind{level}: &a{level} [{again}]\n")
    });
    file("alias-bomb.yaml", bomb, 4);
    file("alias-of-itself.yaml", "kind: &a [*a]\n", 4);
    file("alias-of-nothing.yaml", "kind: *b\n", 4);
}

#[test]
fn values_of_the_wrong_type_are_no_crash() {
    let wrong = "apiVersion: 1\nkind: Deployment\nspec: {template: {spec: {containers: [{image: azure-sql-edge}]}}}\n---\n\
        apiVersion: apps/v1\nkind: Deployment\nmetadata: a-name\nspec:\n  replicas: \"3\"\n  template:\n    metadata: text\n    \
        spec:\n      volumes: null\n      containers: {name: db, image: azure-sql-edge}\n---\n\
        apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: [a, b]}\nspec:\n  - replicas: 3\n---\n\
        apiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {selector: app, ports: 1433, type: [LoadBalancer]}\n---\n\
        [a, list]\n---\ntext\n---\n5\n---\nkind: {a: b}\napiVersion: [v1]\n";
    file("no-workload-of-the-right-type.yaml", wrong, 3);
    let engine = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b, labels: 5, namespace: 7}\nspec:\n  replicas: \"3\"\n  \
        strategy: [Recreate]\n  selector: yes\n  template:\n    metadata: {labels: [a]}\n    spec:\n      nodeSelector: amd64\n      \
        affinity: none\n      tolerations: {key: x}\n      securityContext: root\n      terminationGracePeriodSeconds: \"30\"\n      \
        volumes: null\n      initContainers: 3\n      containers:\n        - 5\n        - name: db\n          image: azure-sql-edge\n          \
        env: {ACCEPT_EULA: \"Y\"}\n          envFrom: x\n          ports: 1433\n          volumeMounts: /var/opt/mssql\n";
    file("everything-of-the-wrong-type.yaml", engine, 1);
}

#[test]
fn numbers_beyond_every_size_are_no_crash() {
    let huge = "99999999999999999999999999999999";
    let text = right()
        .replace("replicas: 1", &format!("replicas: {huge}"))
        .replace("PeriodSeconds: 30", &format!("PeriodSeconds: -{huge}"))
        .replace("port: 1433", "port: 1e400");
    file("huge-numbers.yaml", text, 1);
}
