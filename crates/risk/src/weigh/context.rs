//! The lines of a text with what surrounds them; what is wrapped is put together.

use std::borrow::Cow;

use crate::lines::{self as markup, Kind, LOWEST};

/// What the heading above a line says that its part is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing in particular.
    Other,
    /// Breakage, upgrades, migration.
    Breaking,
    /// What is gone.
    Removed,
    /// What will be gone.
    Deprecated,
    /// What concerns the developers alone: dependencies, tests, contributors.
    Internal,
    /// What was broken.
    Fixed,
}

/// A line that is not empty, or a paragraph.
#[derive(Clone, Debug)]
pub(super) struct Context<'a> {
    pub(super) text: Cow<'a, str>,
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
}

/// Every line of a text that is not empty.
pub(super) fn lines(text: &str) -> Vec<Context<'_>> {
    let mut reader = Reader::default();
    for line in markup::lines(text) {
        match line.kind {
            Kind::Comment => {}
            Kind::Blank | Kind::Fence | Kind::Rule => reader.joins = false,
            Kind::Code | Kind::Heading { .. } | Kind::Bold(_) | Kind::Text => reader.line(&line),
        }
    }
    reader.found
}

#[derive(Default)]
struct Reader<'a> {
    found: Vec<Context<'a>>,
    /// The headings above, each with its level.
    parts: Vec<(u8, Part)>,
    /// In the notes of a dependency.
    dependency: bool,
    /// The line before goes on in this one, unless this one begins something.
    joins: bool,
    alert: bool,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &markup::Line<'a>) {
        let bare = line.text.trim();
        let code = line.kind == Kind::Code;
        let lower = bare.to_lowercase();
        if !code && lower.contains("<summary>") {
            // Bots put the notes of what they bump into such blocks.
            self.dependency = is_of_dependency(&lower);
        }
        if !code && lower.contains("</details>") {
            self.dependency = false;
            return;
        }
        let level = level(line);
        if let Some(level) = level {
            self.enter(level, &lower);
        }
        let heading = level.is_some();
        let marked = bare.starts_with('>');
        // `> [!IMPORTANT]` is how a project raises its own voice.
        self.alert = marked && (self.alert || bare.contains("[!"));
        let quoted = (marked && !self.alert) || self.dependency;
        if self.joins
            && !heading
            && !code
            && !begins(bare)
            && let Some(last) = self.found.last_mut()
            && last.quoted == quoted
            && last.text.len() < LONGEST
        {
            let text = last.text.to_mut();
            text.push(' ');
            text.push_str(bare.trim_start_matches(['>', ' ']));
            return;
        }
        self.found.push(Context {
            text: Cow::Borrowed(bare),
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
        self.parts.retain(|(above, _)| *above < level);
        let own = part_of(lower);
        // Within the notes of developers nothing is for others.
        let inherits = own == Part::Other && level > 1;
        let part = if inherits { self.part() } else { own };
        self.parts.push((level, part));
    }
}

/// How high a line stands as a heading, if it is one.
fn level(line: &markup::Line<'_>) -> Option<u8> {
    match line.kind {
        Kind::Heading { level, .. } => Some(level),
        Kind::Bold(_) => Some(LOWEST),
        Kind::Text if is_title_like(line.text.trim()) => Some(LOWEST),
        _ => None,
    }
}

/// Paragraphs are put together up to so many bytes.
const LONGEST: usize = 2_000;

/// Whether a line begins an item of a list, a row of a table or a quotation.
fn begins(bare: &str) -> bool {
    let numbered = bare.trim_start_matches(|c: char| c.is_ascii_digit());
    let bullet = ["- ", "* ", "+ ", "• ", "|", ".. "]
        .iter()
        .any(|mark| bare.starts_with(mark));
    bullet
        || (numbered.len() < bare.len()
            && numbered.starts_with([')', '.'])
            && numbered.get(1..).is_some_and(|rest| rest.starts_with(' ')))
}

/// `Breaking changes:` alone on a line.
fn is_title_like(bare: &str) -> bool {
    let words = bare.split_whitespace().count();
    bare.ends_with(':') && words <= 4 && !bare.starts_with(['-', '*', '>', '|', '`'])
}

fn is_of_dependency(lower: &str) -> bool {
    let words = ["release notes", "changelog", "commits", "sourced from"];
    words.iter().any(|word| lower.contains(word))
}

fn part_of(lower: &str) -> Part {
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["no breaking", "non-breaking", "not breaking"]) {
        Part::Other
    } else if has(&[
        "breaking",
        "incompatib",
        "before you",
        "action required",
        "attention",
        "migration",
        "must read",
        "achtung",
        "不兼容",
        "重大",
        "important change",
        "oldest",
        "minimum",
        "minimal",
    ]) {
        Part::Breaking
    } else if has(&["deprecat"]) && has(&["remov"]) {
        Part::Removed
    } else if has(&["deprecat"]) {
        Part::Deprecated
    } else if has(&["removed", "removal", "entfernt", "移除"]) {
        Part::Removed
    } else if has(&[
        "dependenc",
        "contributor",
        "internal",
        "chore",
        "test",
        "translation",
        "documentation",
        "docs",
        "credits",
        "thanks",
        "housekeeping",
        "under the hood",
        "refactor",
        "development",
        "build",
        "ci",
        "maintenance",
        "developer",
        "miscellaneous",
        "code quality",
        "i18n",
        "localization",
        "localisation",
        "style",
    ]) && !has(&["security", "official"])
    {
        Part::Internal
    } else if has(&["fix", "bug"]) {
        Part::Fixed
    } else {
        Part::Other
    }
}
