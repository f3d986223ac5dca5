//! The git side of a stub's repository: one branch and its tags, with files.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

/// The default branch of every repository.
pub(crate) const BRANCH: &str = "main";
const DAY: Duration = Duration::from_secs(86_400);

/// The default branch and the tags of one repository.
#[derive(Debug, Default)]
pub(crate) struct Content {
    branch: Tree,
    tags: BTreeMap<String, Tag>,
    /// How many days have passed: one with each tag and each release.
    days: u32,
}

/// A tag, with the files of its commit.
#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) commit: String,
    /// What an annotated tag says.
    pub(crate) message: Option<String>,
    pub(crate) at: Timestamp,
    tree: Tree,
}

/// The files of one commit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, Arc<str>>,
}

/// What stands directly in a folder.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    pub(crate) path: String,
    /// The text of a file; none for a folder.
    pub(crate) text: Option<&'a str>,
}

impl Entry<'_> {
    /// What git names the file or the folder by.
    pub(crate) fn object(&self) -> String {
        object(&self.path, self.text)
    }
}

impl Content {
    /// Whether nothing was ever committed.
    pub(crate) fn is_empty(&self) -> bool {
        self.branch.files.is_empty() && self.tags.is_empty()
    }

    /// Puts a file on the default branch.
    pub(crate) fn put(&mut self, path: &str, text: &str) {
        self.branch.put(path, text);
    }

    /// Puts a file into one tag's tree only, and makes the tag if need be.
    pub(crate) fn put_at(&mut self, tag: &str, path: &str, text: &str) {
        self.ensure_tag(tag).tree.put(path, text);
    }

    /// Makes a tag, or gives the one of that name another message.
    pub(crate) fn set_tag(&mut self, name: &str, message: Option<&str>) {
        self.ensure_tag(name).message = message.map(str::to_owned);
    }

    /// The tag of that name; a new one names the default branch as it is now.
    pub(crate) fn ensure_tag(&mut self, name: &str) -> &mut Tag {
        self.tags.entry(name.to_owned()).or_insert_with(|| {
            self.days += 1;
            Tag {
                name: name.to_owned(),
                commit: sha(("commit", name, self.days)),
                message: None,
                at: day(self.days),
                tree: self.branch.clone(),
            }
        })
    }

    /// Lets a day pass.
    pub(crate) fn next_day(&mut self) -> Timestamp {
        self.days += 1;
        day(self.days)
    }

    /// The tag of that name, if there is one.
    pub(crate) fn find_tag(&self, name: &str) -> Option<&Tag> {
        self.tags.get(name)
    }

    /// All tags by name.
    pub(crate) fn tags(&self) -> impl DoubleEndedIterator<Item = &Tag> {
        self.tags.values()
    }

    /// All tags, the newest first.
    pub(crate) fn newest_tags(&self) -> Vec<&Tag> {
        let mut tags: Vec<&Tag> = self.tags.values().collect();
        tags.sort_by_key(|tag| Reverse(tag.at));
        tags
    }

    /// The files at a branch, tag or commit; the default branch when the reference is empty.
    pub(crate) fn tree(&self, reference: &str) -> Option<&Tree> {
        let branch = reference.strip_prefix("refs/heads/").unwrap_or(reference);
        if ["", "HEAD", BRANCH].contains(&branch) {
            return Some(&self.branch);
        }
        let name = reference.strip_prefix("refs/tags/").unwrap_or(reference);
        let of_commit = || self.tags.values().find(|tag| tag.commit == name);
        let tag = self.tags.get(name).or_else(of_commit)?;
        Some(&tag.tree)
    }
}

impl Tag {
    /// The object that its reference names: an annotated tag is one of its own.
    pub(crate) fn object(&self) -> String {
        match &self.message {
            Some(message) => sha(("tag", &self.commit, message)),
            None => self.commit.clone(),
        }
    }

    /// What the message of its commit says.
    pub(crate) fn subject(&self) -> String {
        format!("Prepare {}", self.name)
    }
}

impl Tree {
    fn put(&mut self, path: &str, text: &str) {
        let path = path.trim_matches('/').to_owned();
        self.files.insert(path, Arc::from(text));
    }

    /// The text of a file.
    pub(crate) fn file(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(|text| &**text)
    }

    /// What stands directly in a folder, by name; the root has no name and is always there.
    pub(crate) fn list(&self, folder: &str) -> Option<Vec<Entry<'_>>> {
        let prefix = match folder {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let mut entries: BTreeMap<&str, Entry<'_>> = BTreeMap::new();
        for (path, text) in self.files.range(prefix.clone()..) {
            let Some(rest) = path.strip_prefix(prefix.as_str()) else {
                break;
            };
            let (name, text) = match rest.split_once('/') {
                Some((name, _)) => (name, None),
                None => (rest, Some(&**text)),
            };
            let path = format!("{prefix}{name}");
            entries
                .entry(name)
                .or_insert_with(|| Entry { name, path, text });
        }
        let there = folder.is_empty() || !entries.is_empty();
        there.then(|| entries.into_values().collect())
    }
}

/// What git names a file by, or a folder, which has no text.
pub(crate) fn object(path: &str, text: Option<&str>) -> String {
    match text {
        Some(text) => sha(("blob", text)),
        None => sha(("tree", path)),
    }
}

/// What git would name something by: forty digits, always the same for the same thing.
fn sha(of: impl Hash) -> String {
    let part = |number: u8| {
        let mut hasher = DefaultHasher::new();
        (number, &of).hash(&mut hasher);
        hasher.finish()
    };
    format!("{:016x}{:016x}{:08x}", part(0), part(1), part(2) >> 32)
}

fn day(number: u32) -> Timestamp {
    Timestamp::UNIX_EPOCH + (19_800 + number) * DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_holds_the_branch_as_it_was_and_what_is_put_into_it() {
        let mut content = Content::default();
        content.put("CHANGELOG.md", "1");
        content.set_tag("v1", None);
        content.put("CHANGELOG.md", "2");
        content.put_at("v1", "docs/v1.md", "only here");
        let text = |reference, path| content.tree(reference).unwrap().file(path);
        assert_eq!(text("v1", "CHANGELOG.md"), Some("1"));
        assert_eq!(text("refs/tags/v1", "docs/v1.md"), Some("only here"));
        assert_eq!(text("HEAD", "CHANGELOG.md"), Some("2"));
        assert_eq!(text("main", "docs/v1.md"), None);
        let commit = content.find_tag("v1").unwrap().commit.as_str();
        assert_eq!(text(commit, "CHANGELOG.md"), Some("1"));
        assert!(content.tree("v2").is_none());
    }

    #[test]
    fn a_folder_lists_what_stands_directly_in_it() {
        let mut content = Content::default();
        content.put("docs/notes/1.md", "");
        content.put("docs/notes/2.md", "");
        content.put("docs/index.md", "x");
        content.put("docs-old", "");
        let names = |folder| {
            let entries = content.tree("").unwrap().list(folder)?.into_iter();
            let named = entries.map(|entry| (entry.path, entry.text.is_some()));
            Some(named.collect::<Vec<_>>())
        };
        let file = |path: &str| (path.to_owned(), true);
        let folder = |path: &str| (path.to_owned(), false);
        assert_eq!(names("").unwrap(), [folder("docs"), file("docs-old")]);
        assert_eq!(
            names("docs").unwrap(),
            [file("docs/index.md"), folder("docs/notes")]
        );
        assert_eq!(names("doc"), None);
        assert_eq!(names("docs-old"), None);
    }

    #[test]
    fn an_annotated_tag_is_an_object_of_its_own() {
        let mut content = Content::default();
        content.set_tag("plain", None);
        content.set_tag("told", Some("News."));
        let tag = |name| content.find_tag(name).unwrap();
        assert_eq!(tag("plain").object(), tag("plain").commit);
        assert_ne!(tag("told").object(), tag("told").commit);
        assert_eq!(tag("told").object().len(), 40);
        assert_eq!(content.newest_tags()[0].name, "told");
    }
}
