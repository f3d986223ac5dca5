//! What marks a line as a heading.

use super::LONGEST;

/// What underlines a heading in Markdown and reStructuredText.
const UNDERLINES: &str = "=-~^\"'*+#.:_`";

/// `## text ##`
pub(super) fn hashed(bare: &str) -> Option<(&str, u8)> {
    let text = bare.trim_start_matches('#');
    let level = bare.len() - text.len();
    let marked = (1..=6).contains(&level) && text.starts_with([' ', '\t']);
    let text = text.trim().trim_end_matches('#').trim_end();
    marked.then_some((text, u8::try_from(level).ok()?))
}

/// `== text` of `AsciiDoc`, `== text ==` of wikis.
pub(super) fn equals(bare: &str) -> Option<(&str, u8)> {
    let text = bare.trim_start_matches('=');
    let level = bare.len() - text.len();
    let marked = (1..=6).contains(&level) && text.starts_with(' ');
    let text = text.trim().trim_end_matches('=').trim_end();
    (marked && !text.is_empty()).then_some((text, u8::try_from(level).ok()?))
}

/// `<h2>text</h2>`
pub(super) fn tagged(bare: &str) -> Option<(&str, u8)> {
    let rest = bare
        .strip_prefix("<h")
        .or_else(|| bare.strip_prefix("<H"))?;
    let level = rest.chars().next()?.to_digit(10)?;
    let (_, rest) = rest.split_once('>')?;
    let text = rest.split("</").next()?;
    (1..=6)
        .contains(&level)
        .then_some((text, u8::try_from(level).ok()?))
}

/// `**text**`, alone on its line.
pub(super) fn bold(bare: &str) -> Option<&str> {
    ["**", "__"].iter().find_map(|mark| {
        let text = bare.strip_prefix(mark)?;
        let text = text.strip_suffix(':').unwrap_or(text);
        let text = text.strip_suffix(mark)?;
        (!text.is_empty() && !text.contains(mark)).then_some(text)
    })
}

/// The character of a line that holds nothing else.
pub(super) fn rule(bare: &str) -> Option<char> {
    let mark = bare.chars().next().filter(|c| UNDERLINES.contains(*c))?;
    (bare.len() >= 3 && bare.chars().all(|c| c == mark)).then_some(mark)
}

/// Whether a line under this one makes it a heading: it is no item, no quotation and no row.
pub(super) fn is_text_of_heading(line: &str) -> bool {
    let item = ["- ", "* ", "+ ", "> ", "|"]
        .iter()
        .any(|mark| line.starts_with(mark));
    !line.starts_with([' ', '\t']) && !item && line.len() <= LONGEST
}
