//! The systems around: NATS, the Git repository, CI, GitHub, the cluster, Slack.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// Where the log lives.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nats {
    /// The server, `nats://host:port`. Where none is named, a service asks the one on this machine,
    /// and `bowline up` runs one of its own.
    pub url: Option<String>,
    /// How many servers keep each stream: 1, 3 or 5.
    pub replicas: usize,
    /// The file that holds the seed of the nkey to log in with, if the server wants one; or
    /// `BOWLINE_SECRET_NATS_NKEY_SEED`.
    pub nkey_seed_file: Option<PathBuf>,
    /// Whether a service makes and adapts the streams, buckets and consumers at its start. Without
    /// the right to, leave it to `bowline set-up`.
    pub set_up: bool,
}

impl Default for Nats {
    fn default() -> Self {
        Self {
            url: None,
            replicas: 1,
            nkey_seed_file: None,
            set_up: true,
        }
    }
}

impl Nats {
    /// The address of the server, also if none was given.
    #[must_use]
    pub fn address(&self) -> &str {
        self.url.as_deref().unwrap_or("nats://127.0.0.1:4222")
    }

    /// The address without what may be a user, a password or a token.
    #[must_use]
    pub fn shown(&self) -> &str {
        let address = self.address().trim_end_matches('/');
        address.rsplit(['@', '/']).next().unwrap_or_default()
    }
}

/// The address may carry a password; it is not shown.
impl fmt::Debug for Nats {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Nats")
            .field("server", &self.shown())
            .field("replicas", &self.replicas)
            .field("set_up", &self.set_up)
            .finish_non_exhaustive()
    }
}

/// The repository whose Terraform files are edited.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Repository {
    /// What it is called, `owner/name`; follows from the address by default.
    pub name: String,
    /// Its address, over HTTPS or ssh. Must be given.
    pub url: String,
    /// The branch that CI applies.
    pub branch: String,
    /// The user that goes with the token.
    pub user: String,
    /// The file that holds the token; or `BOWLINE_SECRET_REPOSITORY_TOKEN`.
    pub token_file: Option<PathBuf>,
    /// The folder with one folder per stack.
    pub stacks: String,
    /// Base images, without tag, that may be upgraded although several services use them, such as
    /// `alpine`; each service then gets an upgrade of its own.
    pub allow_bases: Vec<String>,
    /// The cluster its stacks are applied to.
    pub cluster: String,
    /// Who our commits are by.
    pub author_name: String,
    /// And their address.
    pub author_email: String,
}

impl Default for Repository {
    fn default() -> Self {
        Self {
            name: String::new(),
            url: String::new(),
            branch: "main".to_owned(),
            user: "x-access-token".to_owned(),
            token_file: None,
            stacks: "stacks".to_owned(),
            allow_bases: Vec::new(),
            cluster: "default".to_owned(),
            author_name: "Bowline".to_owned(),
            author_email: "bowline@localhost".to_owned(),
        }
    }
}

/// A git host besides GitHub that holds release notes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forge {
    /// What runs there.
    pub kind: ForgeKind,
    /// Its address; `https://` and its name by default.
    pub url: Option<String>,
    /// The file that holds a token; public projects need none.
    pub token_file: Option<PathBuf>,
}

/// What a git host runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForgeKind {
    /// GitLab.
    GitLab,
    /// Gitea.
    Gitea,
    /// Forgejo, which is asked like Gitea.
    Forgejo,
}

/// A registry of images or charts that wants a login, or is asked elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registry {
    /// Where it is asked, such as a mirror; `https://` and its name by default.
    pub url: Option<String>,
    /// The user.
    pub user: String,
    /// The file that holds the password or token.
    pub password_file: Option<PathBuf>,
}

/// The last two parts of a repository's address, `owner/name`.
pub(super) fn name_in(url: &str) -> String {
    let path = url.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let mut parts = path.rsplit(['/', ':']).filter(|part| !part.is_empty());
    match (parts.next(), parts.next()) {
        (Some(name), Some(owner)) => format!("{owner}/{name}"),
        _ => path.to_owned(),
    }
}

/// The CI that applies what is pushed: Woodpecker.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ci {
    /// Its address. Must be given unless nothing is carried out.
    pub url: Option<String>,
    /// The file that holds the token; or `BOWLINE_SECRET_CI_TOKEN`.
    pub token_file: Option<PathBuf>,
    /// Its name for the repository, `owner/name`; as the repository's own by default.
    pub repository: String,
    /// The workflow that applies; others do not count.
    pub workflow: String,
    /// Whether upgrades wait for each other's run.
    pub turn: Turn,
    /// How long a run may take to appear before the turn is given up.
    #[serde(with = "humantime_serde")]
    pub appear_within: Duration,
    /// How long a run may take as a whole before the live state decides.
    #[serde(with = "humantime_serde")]
    pub patience: Duration,
    /// How long an undo waits behind another upgrade's run before it takes the turn over.
    #[serde(with = "humantime_serde")]
    pub undo_patience: Duration,
    /// Whether our own run is started again when a newer one took its place, was green and did not
    /// bring the version. Only for a CI that applies no more than what a commit changed: the run
    /// is of an older commit.
    pub restart_superseded: bool,
    /// How often CI is asked.
    #[serde(with = "humantime_serde")]
    pub poll: Duration,
    /// How long one answer may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for Ci {
    fn default() -> Self {
        Self {
            url: None,
            token_file: None,
            repository: String::new(),
            workflow: "default".to_owned(),
            turn: Turn::default(),
            appear_within: Duration::from_secs(5 * 60),
            patience: Duration::from_secs(2 * 3600),
            undo_patience: Duration::from_secs(15 * 60),
            restart_superseded: false,
            poll: Duration::from_secs(30),
            timeout: Duration::from_secs(30),
        }
    }
}

/// Whether pushes wait for each other's CI run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    /// One push at a time, up to the end of its run.
    #[default]
    Serial,
    /// Each as it comes.
    Free,
}

/// Where release notes come from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GitHub {
    /// The API's address.
    pub url: String,
    /// The file that holds the token; or `BOWLINE_SECRET_GITHUB_TOKEN`.
    pub token_file: Option<PathBuf>,
    /// How long one answer may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for GitHub {
    fn default() -> Self {
        Self {
            url: "https://api.github.com".to_owned(),
            token_file: None,
            timeout: Duration::from_secs(30),
        }
    }
}

/// How chart repositories are asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Helm {
    /// How long one answer may take; an index may have many megabytes.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for Helm {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
        }
    }
}

/// The cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kubernetes {
    /// The API's address; by default that of the pod's own cluster or of the kubeconfig.
    pub url: Option<String>,
    /// Operating system and architecture of its nodes: an image has to be there for these.
    pub platform: String,
    /// How long one answer of the API may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for Kubernetes {
    fn default() -> Self {
        Self {
            url: None,
            platform: "linux/amd64".to_owned(),
            timeout: Duration::from_secs(15),
        }
    }
}

/// Where announcements go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Slack {
    /// The file that holds the incoming webhook's URL; or `BOWLINE_SECRET_SLACK_WEBHOOK_URL`.
    /// Without either nothing is announced.
    pub webhook_url_file: Option<PathBuf>,
    /// How long one answer may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for Slack {
    fn default() -> Self {
        Self {
            webhook_url_file: None,
            timeout: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_end_of_the_address() {
        for url in [
            "https://git.example.org/acme/infra.git",
            "https://git.example.org/acme/infra/",
            "ssh://git@git.example.org:22/acme/infra",
            "git@git.example.org:acme/infra.git",
        ] {
            assert_eq!(name_in(url), "acme/infra", "{url}");
        }
        assert_eq!(name_in(""), "");
    }

    #[test]
    fn the_password_in_the_address_of_nats_is_not_shown() {
        let nats = Nats {
            url: Some("nats://bowline:hush@nats:4222".to_owned()),
            ..Nats::default()
        };
        let shown = format!("{nats:?}");
        assert!(
            !shown.contains("hush") && shown.contains("nats:4222"),
            "{shown}"
        );
    }
}
