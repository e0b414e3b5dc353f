//! What happens to database files that are not on a claim, in words.

use super::Unprotected;
use crate::finding::{push_separated, quoted};
use crate::kubernetes::volumes::{Mount, VolumeKind, VolumeSource};

/// What happens to the files in directories that share a kind of volume.
#[derive(PartialEq)]
struct DataLoss {
    /// What happens.
    consequence: String,
    /// Where the files are.
    location: String,
}

/// The message about the first loss, and the reason with the others.
pub(super) fn describe_losses(unprotected: &[Unprotected<'_, '_>], product: &str) -> (String, Option<String>) {
    let mut losses: Vec<(DataLoss, Vec<String>)> = Vec::new();
    for (directory, mount) in unprotected {
        let loss = describe_loss(*mount, product);
        match losses.iter_mut().find(|(known, _)| *known == loss) {
            Some((_, directories)) => directories.push(directory.describe()),
            None => losses.push((loss, vec![directory.describe()])),
        }
    }
    let mut sentences = losses.into_iter().map(|(DataLoss { consequence, location }, directories)| {
        let verb = if directories.len() > 1 { "are" } else { "is" };
        format!("{consequence}: {} {verb} {location}", enumerated(&directories))
    });
    let message = sentences.next().unwrap_or_default();
    let mut reason = String::new();
    sentences.for_each(|sentence| push_separated(&mut reason, "; ", &sentence));
    (message, Some(reason).filter(|reason| !reason.is_empty()))
}

/// Names as in a sentence: `a, b and c`.
fn enumerated(names: &[String]) -> String {
    let mut text = String::new();
    for (place, name) in names.iter().enumerate() {
        let is_last = place + 1 == names.len();
        push_separated(&mut text, if is_last { " and " } else { ", " }, name);
    }
    text
}

fn describe_loss(mount: Option<&Mount<'_>>, product: &str) -> DataLoss {
    let Some(Mount { source, volume, .. }) = mount else {
        return DataLoss {
            consequence: "all databases are lost at the next restart".to_owned(),
            location: "in the container filesystem".to_owned(),
        };
    };
    let field = source.field().unwrap_or_default();
    let (consequence, location) = match source.kind() {
        VolumeKind::Missing => {
            ("the API server rejects the pod", format!("on volume {}, which does not exist", quoted(volume)))
        }
        VolumeKind::OfPod => ("all databases are lost when the pod is replaced", pod_volume(source).to_owned()),
        VolumeKind::OfNode => ("after a failover there are no databases", "on a hostPath of the old node".to_owned()),
        VolumeKind::OfObject => {
            let consequence = format!("{product} cannot write its database files");
            let article = if field == "image" { "an" } else { "a" };
            return DataLoss { consequence, location: format!("on {article} {field} volume") };
        }
        VolumeKind::Other => {
            let field = quoted(field);
            ("the database files are not on a claim", format!("on an inline {} volume", field.trim_matches('`')))
        }
        VolumeKind::Claim => ("the API server rejects the pod", "on a claim without a name".to_owned()),
    };
    DataLoss { consequence: consequence.to_owned(), location }
}

fn pod_volume(source: &VolumeSource<'_>) -> &'static str {
    match source.field() {
        None => "on a volume without a source, which is an emptyDir",
        Some("ephemeral") => "on an ephemeral volume",
        Some("csi") => "on an inline CSI volume",
        Some(_) => "on an emptyDir",
    }
}
