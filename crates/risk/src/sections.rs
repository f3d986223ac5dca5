//! A changelog cut into the parts of its versions.
//!
//! A version's part begins with a heading that names it, in Markdown, HTML, reStructuredText or as
//! a line of its own, and ends where the next version's begins. Versions are told apart exactly:
//! the part of `1.2.10` is never taken for that of `1.2.1`.

mod choice;
mod heading;
mod words;

use self::choice::{Class, Heading, are_bare, chosen};
use self::heading::Named;
pub(crate) use self::words::without_addresses;
use crate::lines::{Kind, Line, is_bullet, lines};

/// One version's part of a changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// The version as the heading names it, without what monorepos put in front.
    pub version: String,
    /// What stands in front in a monorepo: `app` of `app@1.2.3`.
    pub package: Option<String>,
    /// The heading's text, without the addresses of links.
    pub heading: String,
    /// Everything up to the next version, without the heading.
    pub body: &'a str,
    /// The heading's line, from 1.
    pub line: usize,
}

/// Every section that names a version, in the order of the file.
#[must_use]
pub fn sections(text: &str) -> Vec<Section<'_>> {
    let lines = lines(text);
    let marked = headings(text, &lines, false, heading::named);
    let found = cut(text, &lines, &chosen(&marked));
    if found.is_empty() {
        // `Migrating to 1.2.0` is a part of a release's notes, unless there is nothing else.
        let ways = headings(text, &lines, false, heading::towards);
        let found = cut(text, &lines, &chosen(&ways));
        if !found.is_empty() {
            return found;
        }
    }
    // Releases have a version each; what is called the same each time is inside of them.
    let one = found
        .windows(2)
        .all(|pair| pair.first().map(name) == pair.last().map(name));
    let bare = are_bare(&marked);
    if !one && bare {
        return found;
    }
    // Old projects mark nothing: a line that holds nothing but a version is their heading.
    let all = headings(text, &lines, true, heading::named);
    let plain = cut(text, &lines, &chosen(&all));
    let inside = !bare && are_bare(&all) && plain.len() > 1;
    if inside || (one && plain.len() > found.len().min(1)) {
        plain
    } else {
        found
    }
}

fn name<'a>(section: &'a Section<'_>) -> (&'a str, Option<&'a str>) {
    (&section.version, section.package.as_deref())
}

/// Whether a title says nothing but the version, the product and a date; what is in brackets or
/// quotes is a name or a remark.
pub(crate) fn is_name_alone(title: &str) -> bool {
    let mut kept = String::with_capacity(title.len());
    let mut closing = None;
    for c in title.chars() {
        match (closing, c) {
            (Some(end), c) => closing = (c != end).then_some(end),
            (None, '(') => closing = Some(')'),
            (None, '"') => closing = Some('"'),
            (None, '“') => closing = Some('”'),
            (None, c) => kept.push(c),
        }
    }
    heading::named(&kept).is_some_and(|named| named.alone && named.silent)
}

/// The headings that name a version or what is not released; `plain` also takes lines that nothing
/// marks.
fn headings<'a>(
    text: &str,
    lines: &[Line<'a>],
    plain: bool,
    named_by: impl Fn(&str) -> Option<Named>,
) -> Vec<Heading<'a>> {
    let mut found = Vec::new();
    for line in lines {
        let (text, class, level) = match line.kind {
            Kind::Heading { text, level } => (text, Class::Marked, level),
            Kind::Bold(text) => (text, Class::Bold, 1),
            Kind::Text if plain && !line.text.starts_with([' ', '\t']) => {
                (line.text, Class::Plain, 1)
            }
            _ => continue,
        };
        let named = if class == Class::Plain {
            heading::alone(text)
        } else {
            named_by(text)
        };
        if named.is_some() || heading::is_unreleased(text) {
            found.push(Heading {
                text,
                class,
                level,
                number: line.number,
                begins: line.begins,
                ends: line.ends,
                named,
            });
        }
    }
    if is_title(text, &found) {
        found.remove(0);
    }
    found
}

/// Whether the first heading is that of a page about a line of releases, `Release notes for App 1.2`,
/// with nothing but an introduction under it.
fn is_title(text: &str, headings: &[Heading<'_>]) -> bool {
    let [title, next, ..] = headings else {
        return false;
    };
    let (Some(line), Some(first)) = (&title.named, &next.named) else {
        return false;
    };
    let lower = title.text.to_lowercase();
    let page = ["release notes", "changelog", "change log", "history"];
    let own = text.get(title.ends..next.begins).unwrap_or_default();
    page.iter().any(|word| lower.contains(word))
        && choice::extends(&line.release, &first.release)
        && !own.lines().any(|line| is_bullet(line.trim_start()))
}

fn cut<'a>(text: &'a str, lines: &[Line<'_>], headings: &[&Heading<'_>]) -> Vec<Section<'a>> {
    let ends = headings
        .iter()
        .skip(1)
        .map(|next| next.begins)
        .chain([end_of_last(lines, headings).unwrap_or(text.len())]);
    let mut found = Vec::new();
    for (heading, ends) in headings.iter().zip(ends) {
        let Some(named) = &heading.named else {
            continue;
        };
        // What has two versions is the part of both.
        for release in [&named.release].into_iter().chain(&named.others) {
            found.push(Section {
                version: release.version.clone(),
                package: release.package.clone(),
                heading: without_addresses(heading.text.trim()),
                body: text
                    .get(heading.ends..ends.max(heading.ends))
                    .unwrap_or_default(),
                line: heading.number,
            });
        }
    }
    found
}

/// Where the last release ends: before a heading that stands above all releases, such as one about
/// the licence. Where releases have such headings inside, they end nothing.
fn end_of_last(lines: &[Line<'_>], headings: &[&Heading<'_>]) -> Option<usize> {
    let [first, .., last] = headings else {
        return None;
    };
    let marked = headings.iter().all(|one| one.class == Class::Marked);
    let highest = headings.iter().map(|one| one.level).min()?;
    let mut above = lines.iter().filter(|line| {
        matches!(line.kind, Kind::Heading { level, .. } if level < highest)
            && line.begins > first.begins
    });
    let begins = above.next()?.begins;
    (marked && begins > last.begins).then_some(begins)
}

#[cfg(test)]
mod tests;
