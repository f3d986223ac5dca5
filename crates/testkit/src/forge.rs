//! What the stubs of git hosts share: files and tags, pages of lists, requests and faults.

mod content;
mod page;
mod traffic;

pub(crate) use content::{BRANCH, Content, Entry, Tag, object};
pub(crate) use page::{Page, with_query};
pub(crate) use traffic::{Fault, Traffic, unless_known};
