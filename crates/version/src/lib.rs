//! How container images and their versions are written, and which tag is newer than which.
//!
//! An [`ImageRef`] is a reference as somebody wrote it; [`normalise`] makes two spellings of one
//! image equal. A [`Tag`] is classified once; [`compare`] and [`upgrade`] only ever put tags of one
//! [`Style`] in order, because a number means nothing next to a number of another kind.
//!
//! **Invariant:** no clock, no files, no network: the same text always gives the same answer.

mod app;
mod between;
mod grammar;
mod image;
mod line;
mod name;
mod order;
mod prerelease;
mod release;
mod respelled;
mod tag;

pub use app::{compare_apps, says_app};
pub use between::{between, notes_between, releases_between};
pub use image::{ImageRef, ParseError};
pub use line::{is_first_of, is_of_line};
pub use name::{DOCKER_HUB, matches_pattern, normalise, short_forms};
pub use order::{Jump, Refusal, compare, jump, same_version, upgrade};
pub use release::{ReleaseName, package_for};
pub use respelled::respelled;
pub use tag::{Shape, Style, Tag};
