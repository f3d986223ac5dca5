use sha2::{Digest, Sha256};

/// Names one upgrade for ever: sixteen lower-case hexadecimal digits.
///
/// Derived, not drawn: the same (instance, repository, normalised image, tag, attempt) gives the
/// same id, so that webhooks that arrive twice, on two replicas, open one upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UpgradeId(String);

/// Text that is not an upgrade id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an upgrade id: expected 16 lower-case hexadecimal digits")]
pub struct InvalidId(pub String);

impl UpgradeId {
    /// The id of the given attempt (counted from 1) at bringing `image` to `tag`.
    #[must_use]
    pub fn derive(
        instance: &str,
        repository: &str,
        image: &str,
        tag: &str,
        attempt: u32,
    ) -> UpgradeId {
        UpgradeId::hash(&[instance, repository, image, tag, &attempt.to_string()])
    }

    /// The id of the given attempt (counted from 1) at the part of a split upgrade that is one
    /// service's. The parent's id stands for all that it was derived from.
    #[must_use]
    pub fn child(parent: &str, service: &str, attempt: u32) -> UpgradeId {
        UpgradeId::hash(&[parent, service, &attempt.to_string()])
    }

    fn hash(parts: &[&str]) -> UpgradeId {
        let mut hash = Sha256::new();
        for part in parts {
            // The length in front keeps ("a", "bc") and ("ab", "c") apart.
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut text = hex::encode(hash.finalize());
        text.truncate(16);
        UpgradeId(text)
    }

    /// Reads an id that was printed by [`UpgradeId::as_str`].
    ///
    /// # Errors
    /// [`InvalidId`] for anything but 16 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Result<UpgradeId, InvalidId> {
        let legal = text.len() == 16
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if legal {
            Ok(UpgradeId(text.to_owned()))
        } else {
            Err(InvalidId(text.to_owned()))
        }
    }

    /// The id as text, as it stands in subjects, trailers and messages.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for UpgradeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
