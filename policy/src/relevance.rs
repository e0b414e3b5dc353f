//! Which objects need not be parsed, because nothing in their text can name an engine.

use crate::engine::MARKERS;
use crate::settings::Settings;

/// Rare in manifests, and one of them is in every marker.
const RARE: [u8; 2] = *b"q_";

/// Whether the text of an object can hold an engine. Most requests end here, so that one pass over the
/// text has to be enough.
pub fn may_run_engine(object: &str, settings: &Settings) -> bool {
    let bytes = object.as_bytes();
    let is_hit = |(at, byte): (usize, &u8)| {
        // A text with letters written as `\uXXXX`, or slashes as `\/`, might spell a marker in them.
        let is_unusual_escape = *byte == b'\\' && matches!(bytes.get(at + 1), Some(b'u' | b'/'));
        is_unusual_escape || RARE.contains(byte) && is_marker_around(bytes, at, *byte)
    };
    bytes.iter().enumerate().any(is_hit) || settings.images.iter().any(|image| object.contains(&image.repository))
}

/// Whether a marker stands where `byte`, which is at `at`, is the first of its kind in it.
fn is_marker_around(bytes: &[u8], at: usize, byte: u8) -> bool {
    MARKERS.iter().any(|marker| {
        let start = marker.bytes().position(|own| own == byte).and_then(|before| at.checked_sub(before));
        start.and_then(|start| bytes.get(start..)).is_some_and(|rest| rest.starts_with(marker.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ImageMapping;
    use crate::testing::test;

    #[test]
    fn every_marker_is_found_wherever_it_stands() {
        let may = |text: &str| may_run_engine(text, &Settings::default());
        for marker in MARKERS {
            assert!(marker.bytes().any(|byte| RARE.contains(&byte)), "{marker}");
            for text in [marker.to_owned(), format!("_q{marker}"), format!("mssqazure-sq{marker}_")] {
                assert!(may(&text), "{text}");
            }
            assert!(!may(marker.get(1..).unwrap()) && !may(marker.get(..marker.len() - 1).unwrap()), "{marker}");
        }
    }

    #[test]
    fn texts_that_may_spell_a_marker_otherwise_are_looked_into() {
        let mut settings = Settings::default();
        assert!(may_run_engine(r"azure\u002dsql", &settings) && may_run_engine(r"team\/edge", &settings));
        assert!(!may_run_engine(r#"a \"quoted\" line\n"#, &settings) && !may_run_engine("team/edge", &settings));
        settings
            .images
            .push(ImageMapping { repository: "team/edge".to_owned(), engine: crate::engine::Engine::SqlEdge });
        assert!(may_run_engine("team/edge", &settings));
    }
}
