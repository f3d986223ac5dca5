//! The repository: a line of commits, each with the version of every service in a Terraform file.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use analyzer::PortError as NoTree;
use async_trait::async_trait;
use executor::{Landed, PortError, Refound};
use job::Site;
use terraform::{MemTree, Options, SiteKey, Tree};

use super::{Things, World, name};
use crate::ops::{Foreign, Outside, SERVICES, VERSIONS};

/// One commit in the branch.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) message: String,
    pub(crate) tree: MemTree,
    /// When it landed.
    pub(crate) at_ms: i64,
}

fn file(service: usize, version: &str) -> String {
    let name = name(service);
    format!(
        r#"resource "kubernetes_deployment" "{name}" {{
  metadata {{
    name      = "{name}"
    namespace = "{name}"
  }}
  spec {{
    selector {{
      match_labels = {{ app = "{name}" }}
    }}
    template {{
      metadata {{
        labels = {{ app = "{name}" }}
      }}
      spec {{
        container {{
          name  = "{name}"
          image = "acme/{name}:{version}"
        }}
      }}
    }}
  }}
}}
"#
    )
}

fn path(service: usize) -> String {
    format!("stacks/{}/main.tf", name(service))
}

impl Commit {
    pub(crate) fn first() -> Commit {
        let files: BTreeMap<String, Vec<u8>> = (0..SERVICES)
            .map(|service| (path(service), file(service, VERSIONS[0]).into_bytes()))
            .collect();
        Commit::new("", "first", MemTree(files), 0, 0)
    }

    /// The same arguments give the same commit.
    fn new(parent: &str, message: &str, tree: MemTree, commit_at: i64, at_ms: i64) -> Commit {
        let mut hasher = DefaultHasher::new();
        (parent, message, &tree.0, commit_at).hash(&mut hasher);
        Commit {
            id: format!("{:016x}", hasher.finish()),
            parent: parent.to_owned(),
            message: message.to_owned(),
            tree,
            at_ms,
        }
    }

    /// The version that a service has in it.
    pub(crate) fn version(&self, service: usize) -> String {
        let text = self.tree.read(&path(service)).expect("it has every file");
        let text = String::from_utf8(text).expect("text");
        let (_, rest) = text
            .split_once(&format!("acme/{}:", name(service)))
            .expect("an image");
        rest.split('"').next().expect("a version").to_owned()
    }

    /// The services whose versions it moved.
    pub(crate) fn moved(&self, parent: &Commit) -> Vec<usize> {
        let services = 0..SERVICES;
        services
            .filter(|service| self.version(*service) != parent.version(*service))
            .collect()
    }

    /// The value of a trailer.
    pub(crate) fn trailer(&self, key: &str) -> Option<&str> {
        let start = format!("{key}: ");
        self.message
            .lines()
            .find_map(|line| line.strip_prefix(&start))
    }
}

impl Things {
    /// What a commit was built on.
    pub(crate) fn parent(&self, commit: &Commit) -> &Commit {
        let known = self.commits.iter().find(|known| known.id == commit.parent);
        known.expect("only the first has none")
    }
}

impl World {
    fn head(&self) -> String {
        self.things()
            .commits
            .last()
            .expect("a first one")
            .id
            .clone()
    }

    fn commit(&self, id: &str) -> Result<Commit, PortError> {
        self.things()
            .commits
            .iter()
            .find(|commit| commit.id == id)
            .cloned()
            .ok_or_else(|| PortError::new(format!("no commit {id}")))
    }

    fn land(&self, mut commit: Commit) {
        commit.at_ms = self.now_ms();
        let subject = commit.message.lines().next().unwrap_or("").to_owned();
        self.tell(format!("landed {} {subject}", commit.id));
        self.things().commits.push(commit.clone());
        self.triggered(&commit.id);
    }

    /// Somebody else commits on top.
    pub(crate) fn foreign(&self, what: Foreign) {
        let head = self.commit(&self.head()).expect("the head");
        let mut tree = head.tree.clone();
        match what {
            Foreign::Elsewhere => {
                let count = self.things().commits.len();
                let text = format!("{count}\n").into_bytes();
                tree.0.insert("README.md".to_owned(), text);
            }
            Foreign::Version { service, version } => {
                let text = file(service, VERSIONS[version]).into_bytes();
                tree.0.insert(path(service), text);
            }
        }
        let at = self.now_ms() / 1_000;
        self.land(Commit::new(&head.id, "somebody else's", tree, at, 0));
    }
}

fn keys(sites: &[Site]) -> Vec<SiteKey> {
    let key = |site: &Site| SiteKey {
        path: site.path.clone(),
        address: site.address.clone(),
        before: site.before.clone(),
        after: site.after.clone(),
    };
    sites.iter().map(key).collect()
}

/// As [`analyzer::GitRepository`].
#[async_trait]
impl analyzer::Repository for World {
    async fn newest(&self) -> Result<(String, Box<dyn Tree + Send + Sync>), NoTree> {
        self.call(Outside::Git).await.map_err(NoTree::new)?;
        let head = self.commit(&self.head()).map_err(NoTree::new)?;
        Ok((head.id, Box::new(head.tree)))
    }
}

/// As [`executor::GitRepository`], with the same engine.
#[async_trait]
impl executor::Repository for World {
    async fn fetch(&self) -> Result<String, PortError> {
        self.call(Outside::Git).await.map_err(PortError::new)?;
        Ok(self.head())
    }

    async fn refind(&self, head: &str, sites: &[Site]) -> Result<Refound, PortError> {
        let tree = self.commit(head)?.tree;
        Ok(
            match terraform::refind(&tree, &Options::default(), &keys(sites)) {
                terraform::Refound::Ready(_) => Refound::Ready,
                terraform::Refound::AlreadyThere => Refound::AlreadyThere,
                other => Refound::Changed(other.to_string()),
            },
        )
    }

    async fn at_or_beyond(&self, head: &str, sites: &[Site]) -> Result<bool, PortError> {
        let tree = self.commit(head)?.tree;
        let order = |value: &str| VERSIONS.iter().position(|version| value.ends_with(version));
        Ok(keys(sites).iter().all(|key| {
            let site = std::slice::from_ref(key);
            match terraform::refind(&tree, &Options::default(), site) {
                terraform::Refound::AlreadyThere => true,
                terraform::Refound::ChangedByOther { found, .. } => {
                    order(&found) > order(&key.after)
                }
                _ => false,
            }
        }))
    }

    async fn build(
        &self,
        head: &str,
        sites: &[Site],
        message: &str,
        commit_at: i64,
    ) -> Result<String, PortError> {
        let mut tree = self.commit(head)?.tree;
        let terraform::Refound::Ready(found) =
            terraform::refind(&tree, &Options::default(), &keys(sites))
        else {
            return Err(PortError::new("the sites changed while it was built"));
        };
        let edits = terraform::edit(&tree, &found).map_err(PortError::new)?;
        for edit in edits {
            tree.0.insert(edit.path, edit.after);
        }
        let built = Commit::new(head, message, tree, commit_at, 0);
        let id = built.id.clone();
        self.things().built.insert(id.clone(), built);
        Ok(id)
    }

    async fn push(&self, commit: &str, base: &str) -> Result<Landed, PortError> {
        self.call(Outside::Git).await.map_err(PortError::new)?;
        let built = self.things().built.get(commit).cloned();
        let built = built.ok_or_else(|| PortError::lasting("it was not built"))?;
        let head = self.head();
        if self.things().commits.iter().any(|known| known.id == commit) {
            return Ok(Landed::Yes);
        }
        if head != base || built.parent != base {
            return Ok(Landed::Moved(head));
        }
        if std::mem::take(&mut self.things().push_refused) {
            return Ok(Landed::Refused("a hook says no".to_owned()));
        }
        self.land(built);
        if std::mem::take(&mut self.things().push_answer_lost) {
            return Err(PortError::new("no answer to the push"));
        }
        self.call(Outside::Git).await.map_err(PortError::new)?;
        Ok(Landed::Yes)
    }

    async fn find_trailer(
        &self,
        base: &str,
        head: &str,
        key: &str,
        value: &str,
    ) -> Result<Option<String>, PortError> {
        let things = self.things();
        let place = |id: &str| things.commits.iter().position(|commit| commit.id == id);
        let (Some(base), Some(head)) = (place(base), place(head)) else {
            return Err(PortError::new("no such commits"));
        };
        let between = things.commits.get(base + 1..=head).unwrap_or_default();
        let found = between
            .iter()
            .find(|commit| commit.trailer(key) == Some(value));
        Ok(found.map(|commit| commit.id.clone()))
    }

    async fn subject(&self, commit: &str) -> Result<String, PortError> {
        let message = self.commit(commit)?.message;
        Ok(message.lines().next().unwrap_or("").to_owned())
    }
}
