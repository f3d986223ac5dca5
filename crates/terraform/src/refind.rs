//! Finding the sites of a plan again, in a tree that may have moved on.

use std::fmt;

use crate::answer::{Options, Site};
use crate::find::service_of;
use crate::index::{Index, Sources};
use crate::owner::moved;
use crate::reference::{Reference, Tag, references};
use crate::tree::Tree;

/// A site by name, free of positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteKey {
    /// The file.
    pub path: String,
    /// [`Site::address`].
    pub address: String,
    /// What must stand there.
    pub before: String,
    /// What is to stand there.
    pub after: String,
}

impl SiteKey {
    /// The same site for the way back.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self {
            before: self.after,
            after: self.before,
            ..self
        }
    }
}

impl From<&Site> for SiteKey {
    fn from(site: &Site) -> Self {
        Self {
            path: site.path.clone(),
            address: site.address.clone(),
            before: site.before.clone(),
            after: site.after.clone(),
        }
    }
}

/// What became of the sites of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refound {
    /// All hold `before`: [`edit`](crate::edit) can take these.
    Ready(Vec<Site>),
    /// All hold `after`: there is nothing to do.
    AlreadyThere,
    /// One holds something else: hands off.
    ChangedByOther {
        /// The file.
        path: String,
        /// The site.
        address: String,
        /// What stands there.
        found: String,
    },
    /// One is gone, or no longer written in one place.
    Missing {
        /// The file.
        path: String,
        /// The site.
        address: String,
    },
    /// Some hold `before`, the others `after`.
    Mixed {
        /// Those that hold `before`.
        ready: Vec<Site>,
        /// Those that hold `after`.
        there: Vec<SiteKey>,
    },
}

impl fmt::Display for Refound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(_) => f.write_str("every site holds the value before the change"),
            Self::AlreadyThere => f.write_str("every site holds the value after the change"),
            Self::ChangedByOther {
                path,
                address,
                found,
            } => {
                write!(
                    f,
                    "{address} in {path} holds {found:?}, which is neither value"
                )
            }
            Self::Missing { path, address } => {
                write!(f, "{address} is not in {path}, or not in one place")
            }
            Self::Mixed { ready, there } => write!(
                f,
                "{} of {} sites hold the value after the change",
                there.len(),
                ready.len() + there.len()
            ),
        }
    }
}

/// Finds sites again by path and address. For an undo, call it with [`SiteKey::reversed`] keys.
#[must_use]
pub fn refind(tree: &dyn Tree, options: &Options, sites: &[SiteKey]) -> Refound {
    let sources = Sources::read(tree);
    let index = Index::new(&sources);
    let all = references(&index);
    let mut ready = Vec::new();
    let mut there = Vec::new();
    for key in sites {
        let Some(site) = site(&all, options, key) else {
            return Refound::Missing {
                path: key.path.clone(),
                address: key.address.clone(),
            };
        };
        if site.before == key.before {
            ready.push(Site {
                after: key.after.clone(),
                ..site
            });
        } else if site.before == key.after {
            there.push(key.clone());
        } else {
            return Refound::ChangedByOther {
                path: key.path.clone(),
                address: key.address.clone(),
                found: site.before,
            };
        }
    }
    match (ready.is_empty(), there.is_empty()) {
        (_, true) => Refound::Ready(ready),
        (true, false) => Refound::AlreadyThere,
        (false, false) => Refound::Mixed { ready, there },
    }
}

/// The site with this path and address, holding what stands there now.
fn site(all: &[Reference<'_>], options: &Options, key: &SiteKey) -> Option<Site> {
    let mut found: Option<Site> = None;
    for reference in all {
        let Some(said) = reference.said() else {
            continue;
        };
        let Tag::At { text, place } = &said.tag else {
            continue;
        };
        let here = place.address == key.address
            || place.address == reference.address && reference.numbered == key.address;
        if place.path != key.path || !here || reference.shape.is_some() {
            continue;
        }
        match &found {
            // Two places of one name: which one is meant is not known.
            Some(site) if site.span != place.span => return None,
            Some(_) => {}
            None => {
                let (owner, images) = moved(all, &place.path, &place.span);
                found = Some(Site {
                    path: place.path.clone(),
                    address: place.address.clone(),
                    line: place.line,
                    span: place.span.clone(),
                    before: text.clone(),
                    after: String::new(),
                    service: service_of(&place.path, options).unwrap_or_default(),
                    images,
                    owner,
                });
            }
        }
    }
    found
}
