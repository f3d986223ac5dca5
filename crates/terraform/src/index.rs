//! A tree, read once: everything that it runs, and what can be asked about it without reading again.

use std::collections::BTreeMap;

use crate::container::Container;
use crate::declared::Declarations;
use crate::reference::{Reference, What};
use crate::sources::Sources;
use crate::tree::{Tree, name_of};
use crate::walk::{Walked, walk};

/// What a tree runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    pub(crate) references: Vec<Reference>,
    pub(crate) containers: Vec<Container>,
    /// The references of an image by its normalised name, and of a chart by the last part of its.
    by_name: BTreeMap<String, Vec<usize>>,
    pub(crate) problems: Vec<String>,
    /// Encrypted files that could set variables, by the folder in which Terraform is run.
    pub(crate) encrypted: BTreeMap<String, Vec<String>>,
}

impl Index {
    /// Reads a tree.
    #[must_use]
    pub fn of(tree: &dyn Tree) -> Index {
        let sources = Sources::read(tree);
        let declared = Declarations::of(&sources);
        let Walked {
            references,
            containers,
            encrypted,
        } = walk(&sources, &declared);
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, reference) in references.iter().enumerate() {
            if let Some(name) = reference.name() {
                by_name.entry(name).or_default().push(at);
            }
        }
        Index {
            problems: sources.problems(),
            encrypted,
            by_name,
            references,
            containers,
        }
    }

    /// The references of this name.
    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = &Reference> {
        let found = self.by_name.get(name).into_iter().flatten();
        found.filter_map(|at| self.references.get(*at))
    }
}

impl Reference {
    /// The name by which it is found.
    pub(crate) fn name(&self) -> Option<String> {
        let said = self.said.as_ref()?;
        Some(match self.what {
            What::Image => version::normalise(&said.repository),
            What::Chart => chart_name(&said.repository),
        })
    }
}

/// Charts of all repositories with this last part of their name.
pub(crate) fn chart_name(chart: &str) -> String {
    format!("chart {}", name_of(chart))
}
