//! The lines of a text, each with what it is: a heading, code, a comment or text.
//!
//! One reader for whoever walks notes, so that what is code for one is code for all. It goes by
//! Markdown first, and takes headings of HTML, reStructuredText and `AsciiDoc` as well. What is
//! opened and never closed, a block of code or a comment, is text: nothing may hide the rest of the
//! notes. A parser of Markdown does otherwise there, and knows one of the four languages that
//! changelogs are written in, so none is used.

mod fences;
mod marks;

use self::fences::{Fence, fences};
use self::marks::{bold, equals, hashed, is_text_of_heading, rule, tagged};

/// A line, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// Without its end, and without a comment in front.
    pub(crate) text: &'a str,
    pub(crate) kind: Kind<'a>,
    /// From 1.
    pub(crate) number: usize,
    /// The byte at which it begins.
    pub(crate) begins: usize,
    /// The byte after it; for a heading, after the line under it.
    pub(crate) ends: usize,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    Blank,
    Comment,
    /// The mark around a block of code.
    Fence,
    Code,
    /// One character all along: under a heading, over it, or between paragraphs.
    Rule,
    /// A heading by its markup, with its text.
    Heading {
        text: &'a str,
        /// 1 is the highest.
        level: u8,
    },
    /// Bold and alone on its line, which many take for a heading.
    Bold(&'a str),
    Text,
}

/// The lowest level of a heading.
pub(crate) const LOWEST: u8 = 6;
/// Longer lines are no headings.
const LONGEST: usize = 300;

/// Whether a line, without the white space in front, is an item of a list with a bullet.
pub(crate) fn is_bullet(bare: &str) -> bool {
    ["- ", "* ", "+ "].iter().any(|mark| bare.starts_with(mark))
}

/// Whether a line begins an item of a list, a row of a table or a quotation.
pub(crate) fn begins(bare: &str) -> bool {
    let numbered = bare.trim_start_matches(|c: char| c.is_ascii_digit());
    let marked = ["• ", "|", ".. ", "<"];
    is_bullet(bare)
        || marked.iter().any(|mark| bare.starts_with(mark))
        || (numbered.len() < bare.len()
            && numbered.starts_with([')', '.'])
            && numbered.get(1..).is_some_and(|rest| rest.starts_with(' ')))
}

/// Every line of the text.
pub(crate) fn lines(text: &str) -> Vec<Line<'_>> {
    let raw: Vec<Raw<'_>> = split(text).collect();
    let mut reader = Reader {
        lines: Vec::with_capacity(raw.len()),
        underlines: Vec::new(),
        last_comment_end: text.rfind("-->"),
        in_comment: false,
        in_fence: None,
    };
    for (index, (line, fence)) in raw.iter().zip(fences(&raw)).enumerate() {
        reader.line(index, line, fence);
    }
    reader.lines
}

/// A line as the text is cut at `\n`, `\r\n` or a lone `\r`.
struct Raw<'a> {
    /// Without the white space at its end.
    text: &'a str,
    begins: usize,
    text_ends: usize,
    ends: usize,
}

fn split(text: &str) -> impl Iterator<Item = Raw<'_>> {
    let mut begins = 0;
    std::iter::from_fn(move || {
        let rest = text.get(begins..).filter(|rest| !rest.is_empty())?;
        let length = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let (line, after) = rest.split_at_checked(length)?;
        let width = if after.starts_with("\r\n") { 2 } else { 1 };
        let kept = line.trim_end();
        let raw = Raw {
            // Some editors begin a file with a mark of its byte order.
            text: kept.trim_start_matches('\u{feff}'),
            begins,
            text_ends: begins + kept.len(),
            ends: (begins + length + width).min(text.len()),
        };
        begins = raw.ends;
        Some(raw)
    })
}

struct Reader<'a> {
    lines: Vec<Line<'a>>,
    /// What underlines headings, and whether it is over them too, in the order in which they came.
    underlines: Vec<(char, bool)>,
    last_comment_end: Option<usize>,
    in_comment: bool,
    /// The line that ends the block of code, and whether a quotation holds it.
    in_fence: Option<Fence>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, index: usize, raw: &Raw<'a>, fence: Option<Fence>) {
        let (text, kind) = self.read(index, raw, fence);
        self.lines.push(Line {
            text,
            kind,
            number: index + 1,
            begins: raw.begins,
            ends: raw.ends,
        });
    }

    fn read(&mut self, index: usize, raw: &Raw<'a>, fence: Option<Fence>) -> (&'a str, Kind<'a>) {
        if let Some(open) = self.in_fence {
            if open.closes_at == index {
                self.in_fence = None;
                return (raw.text, Kind::Fence);
            }
            if !open.quoted || raw.text.trim_start().starts_with('>') {
                return (raw.text, Kind::Code);
            }
            self.in_fence = None;
        }
        let Some(text) = self.without_comment(raw) else {
            return (raw.text, Kind::Comment);
        };
        let bare = text.trim_start();
        if bare.is_empty() {
            return (text, Kind::Blank);
        }
        let rule = rule(bare);
        if let Some(open) = fence.filter(|_| !self.is_underline(bare)) {
            self.in_fence = Some(open);
            return (text, Kind::Fence);
        }
        if let Some(mark) = rule {
            self.underline(bare, mark, raw.ends);
            return (text, Kind::Rule);
        }
        let indented = text.len() - bare.len() > 3 || text.starts_with('\t');
        if indented || bare.len() > LONGEST {
            return (text, Kind::Text);
        }
        let heading = hashed(bare)
            .or_else(|| tagged(bare))
            .or_else(|| equals(bare));
        let kind = match (heading, bold(bare)) {
            (Some((text, level)), _) => Kind::Heading { text, level },
            (None, Some(text)) => Kind::Bold(text),
            (None, None) => Kind::Text,
        };
        (text, kind)
    }

    /// What is left of a line without the comments at its beginning; nothing if all is comment.
    fn without_comment(&mut self, raw: &Raw<'a>) -> Option<&'a str> {
        let mut text = raw.text;
        loop {
            if !self.in_comment {
                let begun = text.trim_start().strip_prefix("<!--");
                let ends = |inner: &&str| {
                    let begins = raw.text_ends.saturating_sub(inner.len());
                    self.last_comment_end.is_some_and(|end| end >= begins)
                };
                let Some(inner) = begun.filter(ends) else {
                    return Some(text);
                };
                text = inner;
            }
            let after = text.split_once("-->").map(|(_, after)| after);
            self.in_comment = after.is_none();
            text = after.filter(|after| !after.trim().is_empty())?;
        }
    }

    /// The text of the line before, if this one can be the line under it.
    fn heading_before(&self) -> Option<&'a str> {
        let before = self.lines.last().filter(|line| line.kind == Kind::Text)?;
        is_text_of_heading(before.text).then_some(before.text)
    }

    /// A line of `~` opens a block of code in Markdown, and underlines elsewhere.
    fn is_underline(&self, bare: &str) -> bool {
        let length = self.heading_before().map(|text| text.chars().count());
        bare.chars().all(|c| c == '~')
            && length.is_some_and(|length| {
                bare.len() == length || (bare.len() > 3 && bare.len() > length)
            })
    }

    fn underline(&mut self, bare: &str, mark: char, ends: usize) {
        let Some(text) = self.heading_before() else {
            return;
        };
        // Markdown has two marks of any length; others are as long as what they underline.
        if !"=-".contains(mark) && bare.chars().count() < text.chars().count() {
            return;
        }
        let over = self.lines.iter().rev().nth(1);
        let framed =
            over.is_some_and(|line| line.kind == Kind::Rule && line.text.trim().starts_with(mark));
        let known = |seen: &(char, bool)| *seen == (mark, framed);
        let rank = self.underlines.iter().position(known).unwrap_or_else(|| {
            self.underlines.push((mark, framed));
            self.underlines.len() - 1
        });
        let level = u8::try_from(rank + 1).unwrap_or(LOWEST).min(LOWEST);
        if let Some(line) = self.lines.last_mut() {
            line.kind = Kind::Heading { text, level };
            line.ends = ends;
        }
    }
}

#[cfg(test)]
mod tests;
