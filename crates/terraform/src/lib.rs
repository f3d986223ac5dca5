//! A tree of Terraform files → the sites that hold a version → the byte edits that move it.
//!
//! The question answered here: given an image (or a Helm chart) and a new tag, which bytes of this
//! tree must change so that the new version really runs, and nothing else? The way of an answer:
//!
//! 1. `parse`: the files of a [`Tree`] become syntax trees with byte spans.
//! 2. `index`: what each folder declares (variables, locals, resources, module calls) and which
//!    files override its variables.
//! 3. `resolve`: an expression becomes pieces of text, each with the place it was written at.
//! 4. `reference`: every image and chart reference of the tree, with the resource that owns it.
//! 5. [`find`]: the references that match become [`Site`]s, or are refused with a reason.
//! 6. [`edit`]: sites become byte splices; [`diff`] shows them; [`refind`] finds them again later.
//!
//! **Invariant:** no file is ever re-printed from its syntax tree; outside the spans of the sites
//! every byte stays as it was. Apart from [`DirTree`] there is no I/O.

mod answer;
mod diff;
mod edit;
mod find;
mod index;
mod lifecycle;
mod owner;
mod parse;
mod reference;
mod refind;
mod resolve;
mod routes;
mod running;
mod tree;

#[cfg(test)]
mod found;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod sample;

pub use answer::{Answer, Options, Owner, Refused, RefusedSite, Site, Wanted};
pub use diff::diff;
pub use edit::{Edit, EditError, edit};
pub use find::find;
pub use index::reads;
pub use refind::{Refound, SiteKey, refind};
pub use running::{Running, running};
pub use tree::{DirTree, MemTree, Tree};
