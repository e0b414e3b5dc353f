//! Deep nesting, alias bombs, and values of the wrong type or size. More shapes are in the reader's own tests.

use super::{file, right};

#[test]
fn deep_nesting_is_an_error() {
    file("deep-in-flow.yaml", format!("kind: {}{}", "[".repeat(10_000), "]".repeat(10_000)), 4);
}

#[test]
fn alias_bombs_are_an_error() {
    let bomb = (1..12).fold("kind0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let again = vec![format!("*a{}", level - 1); 9].join(", ");
        format!("{text}kind{level}: &a{level} [{again}]\n")
    });
    file("alias-bomb.yaml", bomb, 4);
}

#[test]
fn values_of_the_wrong_type_are_handled() {
    let wrong = "apiVersion: 1\nkind: Deployment\nspec: {template: {spec: {containers: [{image: azure-sql-edge}]}}}\n---\n\
        apiVersion: apps/v1\nkind: Deployment\nmetadata: a-name\nspec:\n  replicas: \"3\"\n  template:\n    metadata: text\n    \
        spec:\n      volumes: null\n      containers: {name: db, image: azure-sql-edge}\n---\n\
        apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: [a, b]}\nspec:\n  - replicas: 3\n---\n\
        apiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {selector: app, ports: 1433, type: [LoadBalancer]}\n---\n\
        [a, list]\n---\ntext\n---\n5\n---\nkind: {a: b}\napiVersion: [v1]\n";
    file("no-workload-of-the-right-type.yaml", wrong, 4);
    let engine = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b, labels: 5, namespace: 7}\nspec:\n  replicas: \"3\"\n  \
        strategy: [Recreate]\n  selector: yes\n  template:\n    metadata: {labels: [a]}\n    spec:\n      nodeSelector: amd64\n      \
        affinity: none\n      tolerations: {key: x}\n      securityContext: root\n      terminationGracePeriodSeconds: \"30\"\n      \
        volumes: null\n      initContainers: 3\n      containers:\n        - 5\n        - name: db\n          image: azure-sql-edge\n          \
        env: {ACCEPT_EULA: \"Y\"}\n          envFrom: x\n          ports: 1433\n          volumeMounts: /var/opt/mssql\n";
    file("everything-of-the-wrong-type.yaml", engine, 1);
}

#[test]
fn very_large_numbers_are_handled() {
    let huge = "99999999999999999999999999999999";
    let text = right()
        .replace("replicas: 1", &format!("replicas: {huge}"))
        .replace("PeriodSeconds: 30", &format!("PeriodSeconds: -{huge}"))
        .replace("port: 1433", "port: 1e400");
    file("huge-numbers.yaml", text, 1);
}
