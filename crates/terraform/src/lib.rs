//! A tree of Terraform files → the sites that hold a version → the byte edits that move it.
//!
//! The question answered here: given an image (or a Helm chart) and a new tag, which bytes of this
//! tree must change so that the new version really runs, and nothing else? The way of an answer:
//!
//! 1. `sources`: the files of a [`Tree`] become syntax trees with byte spans (`parse`, `yaml`).
//! 2. `declared`: what each folder declares; `settings`: what sets its variables from outside.
//! 3. `eval`, `node`, `functions`: an expression is followed along variables, locals, module calls
//!    and values files to what is written, in pieces of text that keep their places (`parts`).
//! 4. `walk`, `objects`, `release`: every image and chart that a block, a structured value or a
//!    Helm release names, with the resource that owns it (`owner`, `routes`, `lifecycle`).
//! 5. [`Index`] holds them; [`Index::find`] makes those that match [`Site`]s, or refuses them with a
//!    reason; [`Index::scan`] judges all of them.
//! 6. [`edit`] turns sites into byte splices, and reads the result again; [`diff`] shows them;
//!    [`refind`] finds them later.
//!
//! **Invariant:** no file is ever re-printed from its syntax tree; outside the spans of the sites
//! every byte stays as it was. Apart from [`DirTree`] there is no I/O.

mod adopt;
mod answer;
mod configure;
mod container;
mod data;
mod declared;
mod diff;
mod documents;
mod edit;
mod eval;
mod find;
mod functions;
mod holes;
mod index;
mod lifecycle;
mod mention;
mod node;
mod objects;
mod owner;
mod parse;
mod parts;
mod reference;
mod refind;
mod release;
mod routes;
mod running;
mod scan;
mod settings;
mod sources;
mod text;
mod tree;
mod truth;
mod walk;
mod yaml;

#[cfg(test)]
mod found;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod sample;

pub use adopt::{Adoption, Entry};
pub use answer::{Answer, Options, Owner, Refused, RefusedSite, Site, Wanted};
pub use configure::{Change, is_setting};
pub use diff::diff;
pub use edit::{Edit, EditError, edit};
pub use find::find;
pub use index::Index;
pub use refind::{Refound, SiteKey, refind};
pub use running::{Running, running};
pub use scan::{Seen, Verdict};
pub use sources::reads;
pub use tree::{DirTree, MemTree, Tree};
