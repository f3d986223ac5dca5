//! A bare mirror of a git repository: read a branch, build a commit on it, push it as a fast-forward.
//!
//! There is never a work tree. A commit is the parent's tree with a few blobs exchanged, so nothing
//! is filtered, smudged or added by accident, and files nobody can read stay as they are. What the
//! host says about a push is not believed: only a fresh fetch that contains the commit is.
//!
//! All calls block; those that talk to the host ([`Mirror::fetch`], [`Mirror::push`]) do so for as
//! long as [`Timeouts`] let them. Callers add an outer deadline.
//!
//! **Invariant:** only this crate sees libgit2, and no text that leaves it contains a credential.

mod build;
mod commit;
mod error;
mod history;
mod push;
mod remote;
mod repository;
mod revert;
mod secret;
mod timeouts;
mod tree;

pub use build::{FileEdit, Meta};
pub use commit::{Commit, NotACommit};
pub use error::{Cause, Error, Kind};
pub use push::PushOutcome;
pub use remote::Remote;
pub use repository::Mirror;
pub use secret::Secret;
pub use timeouts::Timeouts;
pub use tree::MirrorTree;
