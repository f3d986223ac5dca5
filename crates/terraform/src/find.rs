//! The question: which sites hold the version of an image or chart, and which are refused.

use std::collections::BTreeMap;

use version::Refusal;

use crate::answer::{Answer, Options, Refused, RefusedSite, Site, Wanted};
use crate::index::{Index, chart_name};
use crate::mention::mentions;
use crate::parts::{Part, Place, first_unknown, whole};
use crate::reference::{Change, Reference, Said, What};
use crate::tree::Tree;

/// Finds what must change in `tree` so that `wanted` runs.
#[must_use]
pub fn find(tree: &dyn Tree, options: &Options, wanted: &Wanted) -> Answer {
    Index::of(tree).answer(tree, options, wanted)
}

impl Index {
    /// As [`Index::find`]; where nothing is declared, with the places that merely name the image.
    #[must_use]
    pub fn answer(&self, tree: &dyn Tree, options: &Options, wanted: &Wanted) -> Answer {
        let mut answer = self.find(options, wanted);
        if let Wanted::Image { repository, .. } = wanted
            && answer.sites.is_empty()
            && answer.refused.is_empty()
        {
            answer.refused = mentions(tree, options, repository);
        }
        answer
    }

    /// Finds what must change so that `wanted` runs.
    #[must_use]
    pub fn find(&self, options: &Options, wanted: &Wanted) -> Answer {
        let mut answer = Answer {
            problems: self.problems.clone(),
            ..Answer::default()
        };
        let name = match wanted {
            Wanted::Image { repository, .. } => version::normalise(repository),
            Wanted::Chart { name, .. } => chart_name(name),
        };
        let mut matching: BTreeMap<Option<String>, Vec<(&Reference, &Said)>> = BTreeMap::new();
        for reference in self.named(&name) {
            if let Some(said) = reference.said.as_ref().filter(|said| matches(said, wanted)) {
                let service = service_of(&reference.root, options);
                matching.entry(service).or_default().push((reference, said));
            }
        }
        for (service, references) in matching {
            let tags: Vec<String> = references
                .iter()
                .filter_map(|(_, said)| said.tag_text())
                .collect();
            // The newest tag of this stack that the wanted one continues, or is.
            let line = newest(tags.iter().map(String::as_str), wanted);
            for (reference, said) in references {
                match judge(reference, said, service.as_deref(), line.as_deref(), wanted) {
                    Ok(changes) => {
                        for change in changes {
                            let service = service.clone().unwrap_or_default();
                            add(
                                &mut answer,
                                change,
                                said.tag_text().unwrap_or_default(),
                                service,
                            );
                        }
                        self.note_encrypted(&mut answer, reference, said);
                    }
                    Err(reason) => answer.refused.push(RefusedSite {
                        path: reference.path.clone(),
                        line: reference.line,
                        address: reference.address.clone(),
                        current: said.tag_text(),
                        service: service.clone(),
                        reason,
                    }),
                }
            }
        }
        for site in &mut answer.sites {
            self.moved(site);
        }
        answer
            .sites
            .sort_by(|a, b| (&a.path, a.span.start).cmp(&(&b.path, b.span.start)));
        answer
            .refused
            .sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
        answer.refused.dedup();
        answer
    }

    /// The owners of all references that a site decides, and the normalised images among them.
    /// References that Terraform ignores do not move.
    pub(crate) fn moved(&self, site: &mut Site) {
        site.owner.clear();
        site.images.clear();
        for reference in &self.references {
            let Some(said) = &reference.said else {
                continue;
            };
            let mut places = said.places();
            let here = places.any(|place| {
                place.path == site.path
                    && place.span.start < site.span.end
                    && site.span.start < place.span.end
            });
            if !here || reference.ignored_by.is_some() {
                continue;
            }
            if !site.owner.contains(&reference.owner) {
                site.owner.push(reference.owner.clone());
            }
            if reference.what == What::Image {
                site.images.push(version::normalise(&said.repository));
            }
        }
        site.images.sort();
        site.images.dedup();
    }

    /// An encrypted file may set the variable; that is said, as it cannot be known.
    fn note_encrypted(&self, answer: &mut Answer, reference: &Reference, said: &Said) {
        for place in said.places() {
            let variable = place
                .address
                .strip_prefix("variable.")
                .and_then(|rest| rest.strip_suffix(".default"));
            let files = self.encrypted.get(&reference.root).into_iter().flatten();
            if let Some(variable) = variable {
                for file in files {
                    let note =
                        format!("{file}: is encrypted and could override variable {variable}");
                    if !answer.problems.contains(&note) {
                        answer.problems.push(note);
                    }
                }
            }
        }
    }
}

impl Said {
    /// Where the tag is written.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Place> {
        self.tag
            .iter()
            .chain(&self.digest)
            .filter_map(|part| match part {
                Part::Text { place, .. } => place.as_ref(),
                Part::Unknown { .. } => None,
            })
    }
}

/// The service of what is run at the top of a tree.
const TOP: &str = "root";

/// The service that is run in this folder: the path part after the stacks folder; `None` outside
/// of it.
pub(crate) fn service_of(root: &str, options: &Options) -> Option<String> {
    let stacks = options.stacks.trim_matches('/');
    let below = match stacks {
        // Without a folder of stacks each folder in which something is run is a service.
        "" | "." => return Some(if root.is_empty() { TOP } else { root }.to_owned()),
        stacks => root.strip_prefix(stacks)?.strip_prefix('/')?,
    };
    let service = below.split('/').next()?;
    (!service.is_empty()).then(|| service.to_owned())
}

fn matches(said: &Said, wanted: &Wanted) -> bool {
    match wanted {
        Wanted::Image { .. } => true,
        Wanted::Chart { name, .. } => {
            said.repository == *name || !name.contains('/') || !said.repository.contains('/')
        }
    }
}

fn newest<'a>(tags: impl Iterator<Item = &'a str>, wanted: &Wanted) -> Option<String> {
    let target = wanted.target();
    let mut newest: Option<&str> = None;
    for tag in tags {
        let continued = tag == target || newer(tag, target);
        if continued && newest.is_none_or(|other| newer(other, tag)) {
            newest = Some(tag);
        }
    }
    newest.map(str::to_owned)
}

fn newer(old: &str, new: &str) -> bool {
    version::upgrade(&version::Tag::parse(old), &version::Tag::parse(new)).is_ok()
}

fn judge(
    reference: &Reference,
    said: &Said,
    service: Option<&str>,
    line: Option<&str>,
    wanted: &Wanted,
) -> Result<Vec<Change>, Refused> {
    if service.is_none() {
        return Err(Refused::OutsideStacks);
    }
    if let Some(ignored) = &reference.ignored_by {
        let by = ignored.entry.clone();
        return Err(Refused::IgnoredByLifecycle { by });
    }
    if let Some(expression) = first_unknown(&said.tag) {
        return Err(Refused::Unresolvable {
            expression: expression.to_owned(),
        });
    }
    let Some(tag) = said.tag_text() else {
        return Err(match said.digest.is_empty() {
            true => Refused::NoTag,
            false => Refused::DigestOnly,
        });
    };
    let target = wanted.target();
    let same_digest = match (
        wanted,
        whole(&said.digest).filter(|digest| !digest.is_empty()),
    ) {
        (
            Wanted::Image {
                digest: Some(new), ..
            },
            Some(old),
        ) => *new == old,
        _ => true,
    };
    if tag == target && same_digest {
        return Err(Refused::AlreadyAt);
    }
    if tag != target {
        comparable(&tag, target)?;
    }
    if let Some(line) = line.filter(|line| *line != tag) {
        return Err(Refused::OtherLine {
            moved: line.to_owned(),
        });
    }
    let digest = match wanted {
        Wanted::Image { digest, .. } => digest.as_deref(),
        Wanted::Chart { .. } => None,
    };
    said.changes(target, digest, &reference.expression)
}

/// Whether the new tag may follow the old one, and can be written between quotes at all.
fn comparable(old: &str, new: &str) -> Result<(), Refused> {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    if new.is_empty() || !new.chars().all(harmless) {
        return Err(Refused::BadTarget);
    }
    match version::upgrade(&version::Tag::parse(old), &version::Tag::parse(new)) {
        Ok(_) => Ok(()),
        Err(Refusal::SameTag { .. }) => Err(Refused::AlreadyAt),
        Err(Refusal::Floating { tag }) if tag == old => Err(Refused::Floating),
        Err(why @ Refusal::NotNewer { .. }) => Err(Refused::NotNewer(why.to_string())),
        Err(why) => Err(Refused::Style(why.to_string())),
    }
}

/// Adds the site a reference leads to, unless another reference led there already.
fn add(answer: &mut Answer, change: Change, tag: String, service: String) {
    let Change {
        place,
        before,
        after,
        around,
    } = change;
    let same = |site: &Site| site.path == place.path && site.span == place.span;
    if !answer.sites.iter().any(same) {
        answer.sites.push(Site {
            path: place.path,
            address: place.address,
            line: place.line,
            span: place.span,
            before,
            after,
            tag,
            around,
            service,
            images: Vec::new(),
            owner: Vec::new(),
        });
    }
}
