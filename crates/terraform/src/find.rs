//! The question: which sites hold the version of an image or chart, and which are refused.

use std::collections::BTreeMap;

use version::Refusal;

use crate::answer::{Answer, Options, Refused, RefusedSite, Site, Wanted};
use crate::index::{Index, Sources};
use crate::lifecycle::ignored_by;
use crate::owner::moved;
use crate::reference::{Reference, Said, Tag, What, references};
use crate::resolve::Place;
use crate::tree::{Tree, folder_of};

/// Finds what must change in `tree` so that `wanted` runs.
#[must_use]
pub fn find(tree: &dyn Tree, options: &Options, wanted: &Wanted) -> Answer {
    let sources = Sources::read(tree);
    let index = Index::new(&sources);
    let all = references(&index);
    let mut answer = Answer {
        problems: sources.problems(),
        ..Answer::default()
    };

    let mut matching: BTreeMap<Option<String>, Vec<(&Reference<'_>, Said)>> = BTreeMap::new();
    for reference in &all {
        if let Some(said) = reference
            .said()
            .filter(|said| matches(reference, said, wanted))
        {
            let service = service_of(&reference.scope.file.path, options);
            matching.entry(service).or_default().push((reference, said));
        }
    }
    for (service, references) in matching {
        // The newest tag of this stack that the wanted one continues, or is.
        let line = newest(
            references.iter().filter_map(|(_, said)| said.tag.text()),
            wanted,
        );
        for (reference, said) in references {
            match judge(
                reference,
                &said,
                service.as_deref(),
                line.as_deref(),
                wanted,
            ) {
                Ok((place, before)) => {
                    let service = service.clone().unwrap_or_default();
                    add(&mut answer, &place, before, service, wanted);
                    note_encrypted(&mut answer, &index, &place);
                }
                Err(reason) => answer.refused.push(RefusedSite {
                    path: reference.scope.file.path.clone(),
                    line: reference.line,
                    address: reference.address.clone(),
                    current: said.tag.text().map(str::to_owned),
                    reason,
                }),
            }
        }
    }
    for site in &mut answer.sites {
        (site.owner, site.images) = moved(&all, &site.path, &site.span);
    }
    answer
        .sites
        .sort_by(|a, b| (&a.path, a.span.start).cmp(&(&b.path, b.span.start)));
    answer
        .refused
        .sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    answer
}

/// The path part after the stacks folder; `None` outside of it.
pub(crate) fn service_of(path: &str, options: &Options) -> Option<String> {
    let stacks = options.stacks.trim_matches('/');
    let folder = folder_of(path);
    let below = match stacks {
        "" | "." => folder,
        stacks => folder.strip_prefix(stacks)?.strip_prefix('/')?,
    };
    let service = below.split('/').next()?;
    (!service.is_empty()).then(|| service.to_owned())
}

fn matches(reference: &Reference<'_>, said: &Said, wanted: &Wanted) -> bool {
    match (reference.what, wanted) {
        (What::Image, Wanted::Image { repository, .. }) => {
            version::normalise(&said.repository) == version::normalise(repository)
        }
        (What::Chart, Wanted::Chart { name, .. }) => {
            let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
            said.repository == *name
                || (!name.contains('/') || !said.repository.contains('/'))
                    && last(&said.repository) == last(name)
        }
        (What::Image, Wanted::Chart { .. }) | (What::Chart, Wanted::Image { .. }) => false,
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
    reference: &Reference<'_>,
    said: &Said,
    service: Option<&str>,
    line: Option<&str>,
    wanted: &Wanted,
) -> Result<(Place, String), Refused> {
    if service.is_none() {
        return Err(Refused::OutsideStacks);
    }
    if let Some(by) = ignored_by(reference) {
        return Err(Refused::IgnoredByLifecycle { by });
    }
    if let Tag::Unknown { expression } = &said.tag {
        return Err(Refused::Unresolvable {
            expression: expression.clone(),
        });
    }
    match (said.tag.text(), said.digest) {
        (None, true) => return Err(Refused::DigestOnly),
        (None, false) => return Err(Refused::NoTag),
        (Some(tag), _) if tag == wanted.target() => return Err(Refused::AlreadyAt),
        (Some(_), true) => return Err(Refused::DigestPinned),
        (Some(tag), false) => comparable(tag, wanted.target())?,
    }
    if let Some(shape) = &reference.shape {
        return Err(Refused::UnsupportedShape {
            shape: shape.clone(),
        });
    }
    match (&said.tag, line) {
        (Tag::Overridden { variable, by, .. }, _) => Err(Refused::Overridden {
            variable: variable.clone(),
            by: by.clone(),
        }),
        (Tag::At { text, .. }, Some(line)) if text != line => Err(Refused::OtherLine {
            moved: line.to_owned(),
        }),
        (Tag::At { text, place }, _) => Ok((place.clone(), text.clone())),
        (Tag::Scattered { .. } | Tag::Unknown { .. } | Tag::Absent, _) => {
            Err(Refused::Unresolvable {
                expression: reference.expression.clone(),
            })
        }
    }
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
fn add(answer: &mut Answer, place: &Place, before: String, service: String, wanted: &Wanted) {
    let same = |site: &Site| site.path == place.path && site.span == place.span;
    if !answer.sites.iter().any(same) {
        answer.sites.push(Site {
            path: place.path.clone(),
            address: place.address.clone(),
            line: place.line,
            span: place.span.clone(),
            before,
            after: wanted.target().to_owned(),
            service,
            images: Vec::new(),
            owner: Vec::new(),
        });
    }
}

/// An encrypted file may set the variable; that is said, as it cannot be known.
fn note_encrypted(answer: &mut Answer, index: &Index<'_>, place: &Place) {
    let Some(variable) = place
        .address
        .strip_prefix("variable.")
        .and_then(|rest| rest.strip_suffix(".default"))
    else {
        return;
    };
    for file in index.encrypted_settings(folder_of(&place.path)) {
        let note = format!("{file}: is encrypted and could override variable {variable}");
        if !answer.problems.contains(&note) {
            answer.problems.push(note);
        }
    }
}
