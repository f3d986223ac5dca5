use prost::Message;

use crate::{DecodeError, v1};

/// The fact as it stands in the log.
#[must_use]
pub fn encode(fact: &job::Fact) -> Vec<u8> {
    v1::Fact {
        id: fact.id.clone(),
        step: fact.step,
        at_ms: fact.at_ms,
        min_reader: fact.min_reader,
        body: Some((&fact.body).into()),
    }
    .encode_to_vec()
}

/// Reads a fact from the log.
///
/// # Errors
/// [`DecodeError::MinReader`] before anything else, so that a fact whose body only a newer build
/// understands is left to it; else whatever keeps the fact from being read in full.
pub fn decode(bytes: &[u8]) -> Result<job::Fact, DecodeError> {
    let head = v1::FactHead::decode(bytes).map_err(DecodeError::Malformed)?;
    if head.min_reader > job::Fact::READER {
        return Err(DecodeError::MinReader {
            need: head.min_reader,
        });
    }
    let fact = v1::Fact::decode(bytes).map_err(DecodeError::Malformed)?;
    Ok(job::Fact {
        id: fact.id,
        step: fact.step,
        at_ms: fact.at_ms,
        min_reader: fact.min_reader,
        body: fact.body.ok_or(DecodeError::Missing("body"))?.try_into()?,
    })
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
