//! How risky an upgrade is, judged by its size and by what its release notes say.
//!
//! [`assess`] looks for words that announce breakage and for security advisories in the notes of
//! every release on the way. [`summary`] tells it to people, [`defuse`] makes text from strangers
//! safe to quote in a commit message.
//!
//! **Invariant:** notes that could not be fetched never reach this crate: absent notes are a
//! result, unreachable ones are a reason to wait.

#[macro_use]
mod patterns;

mod advisory;
mod assess;
mod defuse;
mod lines;
mod scan;
mod sections;
mod settings;
mod silent;
mod summary;
mod weigh;

pub use assess::{Assessment, Evidence, Input, Level, Note, Rule, assess, default_words};
pub use defuse::defuse;
pub use scan::Finding;
pub use sections::{Section, sections};
pub use settings::{Touched, touched};
pub use summary::summary;
pub use weigh::{Announced, Kind, weigh};
