//! A text of the tree and where its bytes stand in their file.

use std::ops::Range;

/// A whole file, or a part of one such as a heredoc.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) path: String,
    pub(crate) text: String,
    /// Where the text begins in its file.
    base: usize,
    /// The line of its first byte, from 1.
    first_line: usize,
    /// Where each line but the first begins.
    lines: Vec<usize>,
}

impl Text {
    pub(crate) fn new(path: &str, text: String) -> Self {
        Self::part(path, text, 0, 1)
    }

    /// A part of a file that begins at this byte and this line.
    pub(crate) fn part(path: &str, text: String, base: usize, first_line: usize) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = ends.map(|(at, _)| at + 1).collect();
        Self {
            path: path.to_owned(),
            text,
            base,
            first_line,
            lines,
        }
    }

    /// A part of this text.
    pub(crate) fn within(&self, at: usize, part: &str) -> Self {
        Self::part(&self.path, part.to_owned(), self.base + at, self.line(at))
    }

    /// The line of a byte of this text, from 1, counted in its file.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.first_line + self.lines.partition_point(|start| *start <= at)
    }

    /// A span of this text as bytes of its file.
    pub(crate) fn in_file(&self, span: &Range<usize>) -> Range<usize> {
        self.base + span.start..self.base + span.end
    }

    /// The source text of a span.
    pub(crate) fn source(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// The source text of a span for people: on one line, and not too long.
    pub(crate) fn shown(&self, span: &Range<usize>) -> String {
        let mut words = self
            .source(span)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        if let Some((cut, _)) = words.char_indices().nth(80) {
            words.truncate(cut);
            words.push('…');
        }
        words
    }
}
