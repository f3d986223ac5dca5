/// Bytes that are no fact for this build.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// Not protobuf, or another message.
    #[error("failed to decode a fact: it is not the message it should be")]
    Malformed(#[source] prost::DecodeError),
    /// A newer build wrote it; a newer replica can read it.
    #[error(
        "failed to decode a fact: it needs reader {need}, this build is reader {}",
        job::Fact::READER
    )]
    MinReader {
        /// The reader that is needed.
        need: u32,
    },
    /// A part that every such fact has is not there.
    #[error("failed to decode a fact: `{0}` is missing")]
    Missing(&'static str),
    /// An enumeration has a value that this build does not know.
    #[error("failed to decode a fact: `{field}` has the unknown value {number}")]
    Unknown {
        /// The enumeration's place in the fact.
        field: &'static str,
        /// What stands there.
        number: i32,
    },
}
