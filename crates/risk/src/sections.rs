//! A changelog cut into the parts of its versions.
//!
//! A version's part begins with a heading that names it, in Markdown, HTML, reStructuredText or as
//! a line of its own, and ends where the next version's begins. Versions are told apart exactly:
//! the part of `1.2.10` is never taken for that of `1.2.1`.

mod heading;
mod lines;

use version::ReleaseName;

use self::lines::{Line, headings};

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

/// Where a section stands while the file is walked.
struct Open {
    level: u8,
    named: ReleaseName,
    heading: String,
    line: usize,
    begins: usize,
}

/// Every section that names a version, in the order of the file.
#[must_use]
pub fn sections(text: &str) -> Vec<Section<'_>> {
    let marked = headings(text, false);
    let found = cut(text, &marked);
    if found.len() > 1 {
        return found;
    }
    // Old projects mark nothing: a line that holds nothing but a version is their heading.
    let plain = cut(text, &headings(text, true));
    if plain.len() > found.len() {
        plain
    } else {
        found
    }
}

fn cut<'a>(text: &'a str, headings: &[Line<'_>]) -> Vec<Section<'a>> {
    let mut found = Vec::new();
    let mut open: Option<Open> = None;
    for heading in headings {
        let named = if heading.plain {
            heading::alone(heading.text)
        } else {
            heading::named(heading.text)
        };
        let ends = match (&open, &named) {
            (None, _) => named.is_some(),
            (Some(open), Some(named)) => {
                heading.level <= open.level
                    || heading::contains(&open.named, named)
                    // Some give patches a smaller heading than what they mend.
                    || heading::alone(heading.text).is_some()
            }
            (Some(open), None) => {
                heading.level < open.level
                    || (heading.level == open.level && heading::is_unreleased(heading.text))
            }
        };
        if !ends {
            continue;
        }
        if let Some(open) = open.take() {
            found.extend(open.close(text, heading.begins));
        }
        open = named.map(|named| Open {
            level: heading.level,
            named,
            heading: heading.text.trim().to_owned(),
            line: heading.line,
            begins: heading.ends,
        });
    }
    if let Some(open) = open {
        found.extend(open.close(text, text.len()));
    }
    found
}

impl Open {
    fn close(self, text: &str, ends: usize) -> Option<Section<'_>> {
        Some(Section {
            version: self.named.version,
            package: self.named.package,
            heading: self.heading,
            body: text.get(self.begins..ends.max(self.begins))?,
            line: self.line,
        })
    }
}

#[cfg(test)]
mod tests;
