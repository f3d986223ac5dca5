//! Everything that a tree runs, and what would become of each if it were upgraded.

use crate::answer::{Options, Owner};
use crate::find::service_of;
use crate::index::Index;
use crate::parts::{Part, first_unknown};
use crate::reference::{Reference, Said, What};

/// An image or chart that a tree names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Whether it is a chart.
    pub chart: bool,
    /// The service that runs it; none outside the stacks folder.
    pub service: Option<String>,
    /// Where it is named.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The reference by name.
    pub address: String,
    /// The repository as written, or the chart's name; none if it is not known.
    pub repository: Option<String>,
    /// The tag or chart version, where it is known.
    pub tag: Option<String>,
    /// Where that is written, if it is in one place.
    pub written: Option<(String, usize)>,
    /// The resource that it belongs to.
    pub owner: Owner,
    /// What would become of it.
    pub verdict: Verdict,
}

/// What would become of a reference if its image or chart were upgraded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It would be edited, and the new version would run.
    Effective,
    /// It would be edited if the new digest is given as well.
    NeedsDigest,
    /// Terraform ignores it: this entry of `ignore_changes`.
    Ignored(String),
    /// It names no tag.
    NoTag,
    /// Its tag moves by itself.
    Floating,
    /// Its tag is a commit's id, which has no order.
    Unordered,
    /// It has a digest and no tag.
    DigestOnly,
    /// It comes from this expression, which cannot be followed.
    Unresolvable(String),
    /// It is run by nothing in the stacks folder.
    OutsideStacks,
}

impl Verdict {
    /// A word for it, the same for all of a kind.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Effective => "effective",
            Verdict::NeedsDigest => "needs_digest",
            Verdict::Ignored(_) => "ignored",
            Verdict::NoTag => "no_tag",
            Verdict::Floating => "floating",
            Verdict::Unordered => "unordered",
            Verdict::DigestOnly => "digest_only",
            Verdict::Unresolvable(_) => "unresolvable",
            Verdict::OutsideStacks => "outside_stacks",
        }
    }
}

impl Index {
    /// Every image and chart, in the order of path and line.
    #[must_use]
    pub fn scan(&self, options: &Options) -> Vec<Seen> {
        let mut seen: Vec<Seen> = self
            .references
            .iter()
            .map(|reference| {
                let said = reference.said.as_ref();
                let service = service_of(&reference.root, options);
                Seen {
                    chart: reference.what == What::Chart,
                    path: reference.path.clone(),
                    line: reference.line,
                    address: reference.address.clone(),
                    repository: said.map(|said| said.repository.clone()),
                    tag: said.and_then(Said::tag_text),
                    written: said.and_then(written),
                    owner: reference.owner.clone(),
                    verdict: verdict(reference, service.is_some()),
                    service,
                }
            })
            .collect();
        seen.dedup();
        seen
    }

    /// Files that could not be read, with the position.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

fn written(said: &Said) -> Option<(String, usize)> {
    let mut places = said.tag.iter().filter_map(|part| match part {
        Part::Text { place, .. } => place.as_ref(),
        Part::Unknown { .. } => None,
    });
    let place = places.next()?;
    Some((place.path.clone(), place.line))
}

fn verdict(reference: &Reference, in_stacks: bool) -> Verdict {
    let Some(said) = &reference.said else {
        return Verdict::Unresolvable(reference.expression.clone());
    };
    if let Some(ignored) = &reference.ignored_by {
        return Verdict::Ignored(ignored.entry.clone());
    }
    if let Some(expression) = first_unknown(&said.tag) {
        return Verdict::Unresolvable(expression.to_owned());
    }
    let Some(tag) = said.tag_text() else {
        return match said.digest.is_empty() {
            true => Verdict::NoTag,
            false => Verdict::DigestOnly,
        };
    };
    match version::Tag::parse(&tag).style() {
        version::Style::Floating => return Verdict::Floating,
        version::Style::Commit => return Verdict::Unordered,
        version::Style::Digest => return Verdict::DigestOnly,
        version::Style::Numeric { .. } => {}
    }
    // The same text again changes nothing, and fits whatever is written around it.
    match said.changes(&tag, None, &reference.expression) {
        Err(crate::answer::Refused::DigestPinned) => Verdict::NeedsDigest,
        Err(_) => Verdict::Unresolvable(reference.expression.clone()),
        Ok(_) if !in_stacks => Verdict::OutsideStacks,
        Ok(_) => Verdict::Effective,
    }
}
