//! Finding the sites of a plan again, in a tree that may have moved on.

use std::fmt;

use crate::answer::{Options, Site};
use crate::find::service_of;
use crate::index::Index;
use crate::parts::{Part, Place};
use crate::reference::Reference;
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
    Index::of(tree).refind(options, sites)
}

impl Index {
    /// As [`refind`], in a tree that was read.
    #[must_use]
    pub fn refind(&self, options: &Options, sites: &[SiteKey]) -> Refound {
        let mut ready = Vec::new();
        let mut there = Vec::new();
        for key in sites {
            let missing = || Refound::Missing {
                path: key.path.clone(),
                address: key.address.clone(),
            };
            match self.held(key).or_else(|| self.held_setting(key)) {
                None => return missing(),
                Some(Held::Before(place, root)) => {
                    let mut site = Site {
                        service: service_of(&root, options).unwrap_or_default(),
                        path: place.path,
                        address: place.address,
                        line: place.line,
                        span: place.span,
                        before: key.before.clone(),
                        after: key.after.clone(),
                        tag: key.before.clone(),
                        around: Some((String::new(), String::new())),
                        images: Vec::new(),
                        owner: Vec::new(),
                    };
                    self.moved(&mut site);
                    ready.push(site);
                }
                Some(Held::After) => there.push(key.clone()),
                Some(Held::Other(found)) => {
                    return Refound::ChangedByOther {
                        path: key.path.clone(),
                        address: key.address.clone(),
                        found,
                    };
                }
            }
        }
        match (ready.is_empty(), there.is_empty()) {
            (_, true) => Refound::Ready(ready),
            (true, false) => Refound::AlreadyThere,
            (false, false) => Refound::Mixed { ready, there },
        }
    }

    /// What stands at a site of a setting that goes with a version.
    fn held_setting(&self, key: &SiteKey) -> Option<Held> {
        let (text, place, root) = self.setting(key)?;
        let place = Place {
            address: key.address.clone(),
            ..place
        };
        Some(if text == key.before {
            Held::Before(place, root)
        } else if text == key.after {
            Held::After
        } else {
            Held::Other(text)
        })
    }

    /// What stands at a site; none if it is gone, or if two places bear its name.
    fn held(&self, key: &SiteKey) -> Option<Held> {
        let mut before: Option<(Place, String)> = None;
        let (mut after, mut other) = (None, None);
        for reference in &self.references {
            for (text, place) in texts(reference) {
                let here = place.address == key.address
                    || place.address == reference.address && reference.numbered == key.address;
                if place.path != key.path || !here {
                    continue;
                }
                let slot = if text == key.before {
                    match &before {
                        Some((known, _)) if known.span != place.span => return None,
                        Some(_) => {}
                        None => before = Some((place.clone(), reference.root.clone())),
                    }
                    continue;
                } else if text == key.after {
                    &mut after
                } else {
                    &mut other
                };
                slot.get_or_insert_with(|| text.to_owned());
            }
        }
        match (before, after, other) {
            (Some((place, root)), _, _) => Some(Held::Before(place, root)),
            (None, Some(_), _) => Some(Held::After),
            (None, None, Some(found)) => Some(Held::Other(found)),
            (None, None, None) => None,
        }
    }
}

/// What stands at a site.
enum Held {
    /// The value before the change; where, and for which folder.
    Before(Place, String),
    After,
    Other(String),
}

/// The texts of a reference that can be edited, each with its place.
fn texts(reference: &Reference) -> impl Iterator<Item = (&str, &Place)> {
    let said = reference.said.iter();
    let parts = said.flat_map(|said| said.tag.iter().chain(&said.pinned).chain(&said.digest));
    parts.filter_map(|part| match part {
        Part::Text {
            text,
            place: Some(place),
        } => Some((text.as_str(), place)),
        Part::Text { .. } | Part::Unknown { .. } => None,
    })
}
