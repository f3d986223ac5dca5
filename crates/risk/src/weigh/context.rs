//! The lines of a text with what surrounds them; what is wrapped is put together.

use std::borrow::Cow;

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
    let mut found: Vec<Context<'_>> = Vec::new();
    let mut parts: Vec<(usize, Part)> = Vec::new();
    let mut fence: Option<&str> = None;
    let mut comment = false;
    let mut dependency = false;
    // The line before goes on in this one, unless this one begins something.
    let mut joins = false;
    let mut underlining = false;
    let mut alert = false;
    let mut all = text.lines().peekable();
    while let Some(line) = all.next() {
        let bare = line.trim();
        if comment {
            comment = !bare.contains("-->");
            continue;
        }
        if let Some(rest) = bare.strip_prefix("<!--") {
            comment = !rest.contains("-->");
            continue;
        }
        if let Some(mark) = fence {
            if bare.starts_with(mark) {
                fence = None;
                continue;
            }
        } else if underlining {
            // The line under a heading.
            underlining = false;
            joins = false;
            continue;
        } else if let Some(mark) = ["```", "~~~"]
            .into_iter()
            .find(|mark| bare.starts_with(mark))
        {
            fence = Some(mark);
            joins = false;
            continue;
        }
        if bare.is_empty() {
            joins = false;
            continue;
        }
        let lower = bare.to_lowercase();
        if lower.contains("<summary>") {
            // Bots put the notes of what they bump into such blocks.
            dependency = is_of_dependency(&lower);
        }
        if lower.contains("</details>") {
            dependency = false;
            continue;
        }
        let underlined = fence.is_none()
            && all.peek().is_some_and(|next| is_underline(next.trim()))
            && !bare.starts_with(['-', '*', '>', '#']);
        underlining = underlined;
        let level = match heading_level(bare) {
            Some(level) if fence.is_none() => Some(level),
            _ if underlined => Some(2),
            _ if fence.is_none() && is_title_like(bare) => Some(6),
            _ => None,
        };
        if let Some(level) = level {
            parts.retain(|(above, _)| *above < level);
            let own = part_of(&lower);
            let above = parts.last().map_or(Part::Other, |(_, part)| *part);
            // Within the notes of developers nothing is for others.
            let part = if own == Part::Other { above } else { own };
            parts.push((
                level,
                if level == 1 && own == Part::Other {
                    Part::Other
                } else {
                    part
                },
            ));
        }
        if is_underline(bare) {
            joins = false;
            continue;
        }
        let (heading, code) = (level.is_some(), fence.is_some());
        let marked = bare.starts_with('>');
        // `> [!IMPORTANT]` is how a project raises its own voice.
        alert = marked && (alert || bare.contains("[!"));
        let quoted = (marked && !alert) || dependency;
        if joins
            && !heading
            && !code
            && !begins(bare)
            && let Some(last) = found.last_mut()
            && last.quoted == quoted
            && last.text.len() < LONGEST
        {
            let text = last.text.to_mut();
            text.push(' ');
            text.push_str(bare.trim_start_matches(['>', ' ']));
            continue;
        }
        found.push(Context {
            text: Cow::Borrowed(bare),
            part: parts.last().map_or(Part::Other, |(_, part)| *part),
            heading,
            quoted,
            code,
        });
        joins = !heading && !code && !bare.starts_with('|');
    }
    found
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

fn heading_level(bare: &str) -> Option<usize> {
    let text = bare.trim_start_matches('#');
    let level = bare.len() - text.len();
    let marked = (1..=6).contains(&level) && text.starts_with(' ');
    if marked {
        return Some(level);
    }
    let rest = bare.strip_prefix("<h")?;
    rest.chars()
        .next()?
        .to_digit(10)
        .map(|level| level as usize)
}

/// `**Breaking changes**`, `Breaking changes:` alone on a line.
fn is_title_like(bare: &str) -> bool {
    let bold = ["**", "__"].iter().any(|mark| {
        let inner = bare.strip_prefix(mark);
        inner.is_some_and(|inner| {
            inner.trim_end_matches(':').ends_with(mark)
                && !inner.trim_end_matches([':', '*', '_']).contains(mark)
        })
    });
    let words = bare.split_whitespace().count();
    bold || (bare.ends_with(':') && words <= 4 && !bare.starts_with(['-', '*', '>', '|', '`']))
}

fn is_underline(bare: &str) -> bool {
    let mut marks = bare.chars();
    let first = marks.next();
    first
        .is_some_and(|mark| "=-~^\"'".contains(mark) && bare.len() >= 3 && marks.all(|c| c == mark))
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
