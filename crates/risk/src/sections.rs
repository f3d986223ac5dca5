//! A changelog cut into the parts of its versions.
//!
//! A version's part begins with a heading that names it, in Markdown, HTML, reStructuredText or as
//! a line of its own, and ends where the next version's begins. Versions are told apart exactly:
//! the part of `1.2.10` is never taken for that of `1.2.1`.

mod choice;
mod heading;
mod words;

use self::choice::{Class, Heading, are_bare, chosen};
use crate::lines::{Kind, lines};

/// One version's part of a changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// The version as the heading names it, without what monorepos put in front.
    pub version: String,
    /// What stands in front in a monorepo: `app` of `app@1.2.3`.
    pub package: Option<String>,
    /// The heading's text.
    pub heading: String,
    /// Everything up to the next version, without the heading.
    pub body: &'a str,
    /// The heading's line, from 1.
    pub line: usize,
}

/// Every section that names a version, in the order of the file.
#[must_use]
pub fn sections(text: &str) -> Vec<Section<'_>> {
    let marked = headings(text, false);
    let found = cut(text, &chosen(&marked));
    // Releases have a version each; what is called the same each time is inside of them.
    let one = found
        .windows(2)
        .all(|pair| pair.first().map(name) == pair.last().map(name));
    let bare = are_bare(&marked);
    if !one && bare {
        return found;
    }
    // Old projects mark nothing: a line that holds nothing but a version is their heading.
    let all = headings(text, true);
    let plain = cut(text, &chosen(&all));
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

/// The headings that name a version or what is not released; `plain` also takes lines that nothing
/// marks.
fn headings(text: &str, plain: bool) -> Vec<Heading<'_>> {
    let mut found = Vec::new();
    for line in lines(text) {
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
            heading::named(text)
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
    found
}

fn cut<'a>(text: &'a str, headings: &[&Heading<'_>]) -> Vec<Section<'a>> {
    let ends = headings
        .iter()
        .skip(1)
        .map(|next| next.begins)
        .chain([text.len()]);
    let section = |(heading, ends): (&&Heading<'_>, usize)| {
        let release = heading.named.as_ref().map(|named| named.release.clone())?;
        Some(Section {
            version: release.version,
            package: release.package,
            heading: heading.text.trim().to_owned(),
            body: text.get(heading.ends..ends.max(heading.ends))?,
            line: heading.number,
        })
    };
    headings.iter().zip(ends).filter_map(section).collect()
}

#[cfg(test)]
mod tests;
