//! One file: its bytes, its syntax tree, and where a byte stands in it.

use hcl_edit::Span;
use hcl_edit::structure::Body;
use std::ops::Range;

/// Why a file has no syntax tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is encrypted or otherwise no text.
    Binary,
    /// It is JSON, which is not followed.
    Json,
    /// It is text, but no HCL; where and why.
    Syntax(String),
}

/// A parsed file.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) body: Body,
}

impl File {
    /// Parses a file without changing a byte: spans count in the bytes as they are.
    pub(crate) fn parse(path: &str, bytes: Vec<u8>) -> Result<Self, Unread> {
        if bytes.contains(&0) {
            return Err(Unread::Binary);
        }
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(Unread::Binary);
        };
        let body = hcl_edit::parser::parse_body(&text).map_err(|error| {
            let at = error.location();
            Unread::Syntax(format!(
                "{path}:{}:{}: does not parse as HCL: {}",
                at.line(),
                at.column(),
                error.message()
            ))
        })?;
        Ok(Self {
            path: path.to_owned(),
            text,
            body,
        })
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    /// The source text of a span.
    pub(crate) fn source(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// The source text of a piece of syntax, on one line.
    pub(crate) fn shown(&self, node: &impl Span) -> String {
        let source = node
            .span()
            .map(|span| self.source(&span))
            .unwrap_or_default();
        let mut words = source.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((cut, _)) = words.char_indices().nth(80) {
            words.truncate(cut);
            words.push('…');
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one_with_carriage_returns_and_umlauts() {
        let file = File::parse("x.tf", "# grün\r\na = 1\r\nb = \"x\"".into()).unwrap();
        let span = file.body.get_attribute("b").unwrap().value.span().unwrap();
        assert_eq!(file.source(&span), "\"x\"");
        assert_eq!(file.line(span.start), 3);
    }

    #[test]
    fn a_syntax_error_names_its_position_and_an_encrypted_file_is_binary() {
        let error = File::parse("stacks/x/main.tf", "a = 1\nb = {".into()).unwrap_err();
        let Unread::Syntax(text) = error else {
            panic!("{error:?}")
        };
        assert!(text.starts_with("stacks/x/main.tf:2:"), "{text}");
        let encrypted = b"\0GITCRYPT\0\x12\x34".to_vec();
        assert_eq!(File::parse("x.tf", encrypted).unwrap_err(), Unread::Binary);
    }
}
