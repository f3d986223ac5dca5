//! The lines of a text with what surrounds them; what is wrapped is put together.

use std::borrow::Cow;
use std::ops::Range;

use super::lower::is_bump;
use super::part::{Part, is_usual, part_of};
use crate::lines::{self as markup, Kind, LOWEST, begins, is_bullet};

/// A line that is not empty, or a paragraph.
#[derive(Clone, Debug)]
pub(super) struct Context<'a> {
    pub(super) text: Cow<'a, str>,
    /// The bytes of its lines.
    pub(super) place: Range<usize>,
    pub(super) part: Part,
    /// It is a heading itself.
    pub(super) heading: bool,
    /// Somebody else's words: `> …`, or the notes of a dependency.
    pub(super) quoted: bool,
    /// In a block of code.
    pub(super) code: bool,
}

impl<'a> Context<'a> {
    /// A release's title.
    pub(super) fn title(text: &'a str) -> Context<'a> {
        Context {
            text: Cow::Borrowed(text),
            place: 0..text.len(),
            part: Part::Other,
            heading: true,
            quoted: false,
            code: false,
        }
    }

    /// Whether it says something by standing where it stands.
    pub(super) fn is_item(&self) -> bool {
        let words = self.text.split_whitespace().count();
        !self.heading && !self.code && !self.quoted && words >= 2
    }

    /// A few words that are no item of a list: a greeting, or `See below.`
    pub(super) fn is_remark(&self) -> bool {
        let words = self.text.split_whitespace().count();
        words < 5 && !self.text.starts_with(['-', '*', '+', '•', '|', '`'])
    }
}

/// Every line of a text that is not empty. What its title says of it goes for all of it.
pub(super) fn lines<'a>(title: Option<&str>, text: &'a str) -> Vec<Context<'a>> {
    let mut reader = Reader::default();
    let named = title.map(|title| part_of(&title.to_lowercase()));
    if named == Some(Part::Breaking) {
        reader.parts.push((0, Part::Breaking));
    }
    let all = markup::lines(text);
    for (index, line) in all.iter().enumerate() {
        match line.kind {
            Kind::Comment => {}
            Kind::Blank | Kind::Fence | Kind::Rule => reader.joins = false,
            Kind::Code | Kind::Heading { .. } | Kind::Bold(_) | Kind::Text => {
                let rest = all.get(index + 1..).unwrap_or_default();
                let next = rest.iter().find(|line| line.kind != Kind::Blank);
                reader.line(line, next);
            }
        }
    }
    reader.found
}

#[derive(Default)]
struct Reader<'a> {
    found: Vec<Context<'a>>,
    /// The headings above, each with its level.
    parts: Vec<(u8, Part)>,
    block: Block,
    /// The heading above stands beside the one that it belongs to.
    beside: bool,
    /// The line before goes on in this one, unless this one begins something.
    joins: bool,
    alert: bool,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &markup::Line<'a>, next: Option<&markup::Line<'a>>) {
        let bare = line.text.trim();
        let code = line.kind == Kind::Code;
        let lower = bare.to_lowercase();
        let ends_block = !code && lower.contains("</details>");
        if !code {
            self.block.enter(bare, &lower);
        }
        self.text(line, next, bare, &lower);
        if ends_block {
            self.block.leave();
            self.joins = false;
        }
    }

    fn text(
        &mut self,
        line: &markup::Line<'a>,
        next: Option<&markup::Line<'a>>,
        bare: &'a str,
        lower: &str,
    ) {
        let bare = without_end(bare);
        let code = line.kind == Kind::Code;
        if bare.is_empty() {
            return;
        }
        let level = level(line, next);
        if let Some(level) = level {
            self.enter(level, lower);
        } else if !line.text.starts_with([' ', '\t']) {
            self.parts.retain(|(level, _)| *level <= LOWEST);
        }
        let heading = level.is_some();
        let marked = bare.starts_with('>');
        // This is how a project raises its own voice.
        self.alert = marked && (self.alert || is_alert(bare));
        let quoted = (marked && !self.alert) || self.block.dependency;
        if self.joins
            && !heading
            && !code
            && !begins(bare)
            && let Some(last) = self.found.last_mut()
            && last.quoted == quoted
            && last.text.len() < LONGEST
        {
            last.place.end = line.ends;
            let text = last.text.to_mut();
            text.push(' ');
            text.push_str(bare.trim_start_matches(['>', ' ']));
            return;
        }
        self.found.push(Context {
            text: match bare.strip_prefix("*) ") {
                // As nginx lists.
                Some(rest) => Cow::Owned(format!("* {rest}")),
                None => Cow::Borrowed(bare),
            },
            place: line.begins..line.ends,
            part: self.part(),
            heading,
            quoted,
            code,
        });
        self.joins = !heading && !code && !bare.starts_with('|');
    }

    fn part(&self) -> Part {
        self.parts.last().map_or(Part::Other, |(_, part)| *part)
    }

    fn enter(&mut self, level: u8, lower: &str) {
        let own = part_of(lower);
        // Some set what breaks beside the heading that says so, each with a heading of its own.
        let beside = self.parts.last().filter(|(above, part)| {
            let empty = self.found.last().is_some_and(|last| last.heading);
            *above == level && *part == Part::Breaking && (empty || self.beside)
        });
        self.beside = beside.is_some() && !is_usual(lower);
        if self.beside {
            return;
        }
        self.parts.retain(|(above, _)| *above < level);
        // Within the notes of developers nothing is for others.
        let titled = self.parts.last().is_some_and(|(above, _)| *above == 0);
        let inherits = own == Part::Other && (level > 1 || titled);
        let part = if inherits { self.part() } else { own };
        self.parts.push((level, part));
    }
}

/// A `<details>` block, and what stood before it.
#[derive(Default)]
struct Block {
    inside: bool,
    /// The line before said that a dependency is bumped.
    bumped: bool,
    /// It holds the notes of a dependency.
    dependency: bool,
}

impl Block {
    /// Bots put the notes of what they bump into such blocks: below the bump, or under its name. A
    /// project's own notes stand in them as well.
    fn enter(&mut self, bare: &str, lower: &str) {
        let opens = lower.contains("<details") || lower.contains("<summary");
        self.inside |= opens;
        if let Some((_, rest)) = lower.split_once("<summary>") {
            let name = rest.split("</summary>").next().unwrap_or_default();
            self.dependency = self.bumped || is_package(name.trim());
        } else if self.inside && lower.contains("sourced from") {
            self.dependency = true;
        } else if !self.inside {
            self.bumped = is_bump(bare);
        }
    }

    fn leave(&mut self) {
        (self.inside, self.dependency) = (false, false);
    }
}

/// `owner/package`, `owner/package (image)`
fn is_package(name: &str) -> bool {
    let mut words = name.split(' ');
    let path = words.next().unwrap_or_default();
    let image = words.next().is_none_or(|word| word.starts_with('('));
    path.contains('/') && !path.starts_with('/') && image && words.next().is_none()
}

/// Without the tag that ends a block.
fn without_end(bare: &str) -> &str {
    let tag = "</details>";
    let begins = bare.len().checked_sub(tag.len());
    let end = begins.and_then(|begins| bare.split_at_checked(begins));
    match end {
        Some((text, end)) if end.eq_ignore_ascii_case(tag) => text.trim_end(),
        _ => bare,
    }
}

/// How high a line stands as a heading, if it is one.
fn level(line: &markup::Line<'_>, next: Option<&markup::Line<'_>>) -> Option<u8> {
    match line.kind {
        Kind::Heading { level, .. } => Some(level),
        Kind::Bold(text) if !is_sentence(text) => Some(LOWEST),
        Kind::Text if is_title_like(line.text.trim()) => Some(LOWEST),
        Kind::Text if next.is_some_and(|next| names_its_items(line, next)) => Some(LOWEST + 1),
        _ => None,
    }
}

/// `> [!IMPORTANT]`, `> **Warning**`, `> ⚠️ …`
fn is_alert(quotation: &str) -> bool {
    let raised = ["⚠", "🚨", "❗", "‼"];
    let bare = quotation.trim_start_matches(|c: char| "> *_:".contains(c));
    let word: String = bare
        .chars()
        .take_while(|c| c.is_alphabetic())
        .collect::<String>()
        .to_lowercase();
    let words = [
        "warning",
        "note",
        "important",
        "attention",
        "caution",
        "danger",
        "please",
    ];
    quotation.contains("[!")
        || raised.iter().any(|mark| bare.starts_with(mark))
        || words.contains(&word.as_str())
}

/// A paragraph may be bold as a whole.
fn is_sentence(text: &str) -> bool {
    text.split_whitespace().count() > 9
}

/// `* BREAKING` above the items that it names.
fn names_its_items(line: &markup::Line<'_>, next: &markup::Line<'_>) -> bool {
    let indent = |text: &str| text.len() - text.trim_start().len();
    let bare = line.text.trim();
    let letters = |c: char| c.is_ascii_alphabetic() || " *-+&_:".contains(c);
    let words = bare.split_whitespace().count() <= 3 && bare.chars().all(letters);
    let named =
        part_of(&bare.to_lowercase()) != Part::Other || !bare.contains(|c: char| c.is_lowercase());
    let holds = next.kind == Kind::Text
        && indent(next.text) > indent(line.text)
        && begins(next.text.trim_start());
    is_bullet(bare) && words && named && holds
}

/// Paragraphs are put together up to so many bytes.
const LONGEST: usize = 2_000;

/// `Breaking changes:` alone on a line.
fn is_title_like(bare: &str) -> bool {
    let words = bare.split_whitespace().count();
    bare.ends_with(':') && words <= 4 && !bare.starts_with(['-', '*', '>', '|', '`'])
}
