//! The name of content by its own hash.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest as registries write it: `sha256:` and 64 hexadecimal digits in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    hex: String,
}

/// A text is no digest that this command can check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is `sha256:` and 64 hexadecimal digits in lower case")]
pub struct Malformed;

impl Digest {
    /// The digest of some content.
    pub fn of(content: &[u8]) -> Self {
        Digest { hex: Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect() }
    }

    /// The digits without the name of the algorithm.
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

impl FromStr for Digest {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let hex = text.strip_prefix("sha256:").ok_or(Malformed)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_well_formed = hex.len() == 64 && hex.bytes().all(is_digit);
        is_well_formed.then(|| Digest { hex: hex.to_owned() }).ok_or(Malformed)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.hex)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_its_content_and_read_back() {
        let digest = Digest::of(b"{}");
        // What every manifest of a policy names as its configuration.
        assert_eq!(digest.to_string(), "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
        assert_eq!(digest.to_string().parse(), Ok(digest));
    }

    #[test]
    fn what_could_not_be_checked_is_no_digest() {
        let hex = "0".repeat(64);
        for text in
            [&hex, &format!("sha512:{hex}{hex}"), &format!("sha256:{hex}0"), &format!("sha256:{}A", "0".repeat(63))]
        {
            assert_eq!(text.parse::<Digest>(), Err(Malformed), "{text}");
        }
    }
}
