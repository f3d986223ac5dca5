//! A resolved text: its pieces, each with the place it was written at.

use std::ops::Range;

/// Where a piece of text is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: String,
    pub(crate) address: String,
    pub(crate) line: usize,
    pub(crate) span: Range<usize>,
    /// Whether it is the whole of a YAML value without quotes, which may be read as a number.
    pub(crate) bare: bool,
}

/// A part of a resolved text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Known text.
    Text {
        text: String,
        /// Where it can be edited; `None` where its bytes are not its text (escapes, numbers).
        place: Option<Place>,
    },
    /// What the files alone do not say.
    Unknown {
        /// The expression as written.
        expression: String,
    },
}

impl Part {
    pub(crate) fn plain(text: impl Into<String>) -> Part {
        Part::Text {
            text: text.into(),
            place: None,
        }
    }

    pub(crate) fn unknown(expression: impl Into<String>) -> Part {
        Part::Unknown {
            expression: expression.into(),
        }
    }
}

/// The whole text, if all of it is known.
pub(crate) fn whole(parts: &[Part]) -> Option<String> {
    parts
        .iter()
        .map(|part| match part {
            Part::Text { text, .. } => Some(text.as_str()),
            Part::Unknown { .. } => None,
        })
        .collect()
}

/// The first expression that is not known.
pub(crate) fn first_unknown(parts: &[Part]) -> Option<&str> {
    parts.iter().find_map(|part| match part {
        Part::Unknown { expression } => Some(expression.as_str()),
        Part::Text { .. } => None,
    })
}

/// The pieces within a range of the joined text, all of which must be known up to its end.
pub(crate) fn slice(parts: &[Part], range: Range<usize>) -> Vec<Part> {
    let mut found = Vec::new();
    let mut start = 0;
    for part in parts {
        let Part::Text { text, place } = part else {
            if start < range.end {
                found.push(part.clone());
            }
            continue;
        };
        let end = start + text.len();
        let from = range.start.max(start) - start;
        let to = range.end.min(end).saturating_sub(start);
        if let Some(inside) = text.get(from..to).filter(|inside| !inside.is_empty()) {
            found.push(Part::Text {
                text: inside.to_owned(),
                place: place.as_ref().map(|place| Place {
                    span: place.span.start + from..place.span.start + to,
                    bare: place.bare && from == 0 && to == text.len(),
                    ..place.clone()
                }),
            });
        }
        start = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_keeps_the_bytes_of_its_pieces() {
        let place = |start, end| Place {
            path: "x.tf".into(),
            address: "a".into(),
            line: 1,
            span: start..end,
            bare: false,
        };
        let text = |text: &str, at: usize| Part::Text {
            text: text.into(),
            place: Some(place(at, at + text.len())),
        };
        let parts = [text("acme/app:", 10), text("1.2", 50)];
        assert_eq!(slice(&parts, 5..11), [text("app:", 15), text("1.", 50)]);
        assert_eq!(whole(&slice(&parts, 9..12)).unwrap(), "1.2");
    }
}
