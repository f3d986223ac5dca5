/// The log could not be asked, or its answer could not be used; again is right, giving up is not.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Unavailable {
    what: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Unavailable {
    /// States what was tried, or what was wrong with the answer.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Unavailable {
        Unavailable {
            what: what.into(),
            source: None,
        }
    }

    /// States what was tried, and why it failed.
    #[must_use]
    pub fn because(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Unavailable {
        Unavailable {
            what: what.into(),
            source: Some(source.into()),
        }
    }
}

/// Why a fact is not in the log.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else was first: read again and judge again.
    #[error("another fact was appended first")]
    Conflict,
    /// The fact may not follow; nothing was sent.
    #[error(transparent)]
    Illegal(#[from] job::Illegal),
    /// Unknown whether it landed: read again before anything else.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a value is not in its bucket.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The value changed since it was read.
    #[error("the value was changed by another")]
    Conflict,
    /// Unknown whether it landed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
