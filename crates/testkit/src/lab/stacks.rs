//! The twelve services of the sample tree: where their versions are written, and what runs them.

use crate::apply::{Tree, Wanted};
use crate::github::GitHub;
use crate::http::Site;
use crate::kubernetes::{Cluster, Kind, Workload};
use crate::registry::Registry;

/// Where a version is written.
#[derive(Clone, Copy, Debug)]
enum At {
    /// The n-th `image = "<repository>:…"` of the file that is no comment.
    Image(usize),
    /// The default of this variable.
    Variable(&'static str),
}

/// One container that runs a version.
#[derive(Clone, Copy, Debug)]
struct Runs {
    kind: Kind,
    workload: &'static str,
    container: &'static str,
    init: bool,
    repository: &'static str,
    path: &'static str,
    at: At,
}

/// A stack of the sample tree; its folder's name is the service's.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    /// The folder's name.
    pub service: &'static str,
    /// The namespace of its workloads.
    pub namespace: &'static str,
    /// The namespace and name of the `CronJob` that backs it up.
    pub backup: Option<(&'static str, &'static str, &'static str)>,
    label: (&'static str, &'static str),
    replicas: u64,
    runs: &'static [Runs],
    source: &'static str,
    releases: &'static [(&'static str, &'static str)],
}

const fn literal(
    kind: Kind,
    workload: &'static str,
    container: &'static str,
    repository: &'static str,
    path: &'static str,
) -> Runs {
    Runs {
        kind,
        workload,
        container,
        init: false,
        repository,
        path,
        at: At::Image(0),
    }
}

const fn variable(
    workload: &'static str,
    container: &'static str,
    repository: &'static str,
    path: &'static str,
    name: &'static str,
) -> Runs {
    let kind = Kind::Deployment;
    Runs {
        kind,
        workload,
        container,
        init: false,
        repository,
        path,
        at: At::Variable(name),
    }
}

const POSTGRESQL: Option<(&str, &str, &str)> = Some(("dbaas", "postgresql-backup", "postgresql"));
const MYSQL: Option<(&str, &str, &str)> = Some(("dbaas", "mysql-backup", "mysql"));

const FIXES: &str =
    "## What's changed\n* fix: a crash when the library is empty\n* chore: update translations";
const BREAKING: &str =
    "## Breaking changes\n* the old configuration keys are removed, see the upgrade guide";

/// All of them.
pub const STACKS: [Stack; 12] = [
    Stack {
        service: "ebooks",
        namespace: "ebooks",
        backup: None,
        label: ("app", "audiobookshelf"),
        replicas: 1,
        runs: &[literal(
            Kind::Deployment,
            "audiobookshelf",
            "audiobookshelf",
            "ghcr.io/advplyr/audiobookshelf",
            "stacks/ebooks/main.tf",
        )],
        source: "advplyr/audiobookshelf",
        releases: &[
            ("v2.32.1", FIXES),
            ("v2.33.0", FIXES),
            (
                "v2.33.1",
                "* security: paths in uploaded archives are checked",
            ),
        ],
    },
    Stack {
        service: "owntracks",
        namespace: "owntracks",
        backup: None,
        label: ("app.kubernetes.io/name", "owntracks"),
        replicas: 1,
        runs: &[literal(
            Kind::Deployment,
            "owntracks",
            "owntracks",
            "owntracks/recorder",
            "stacks/owntracks/main.tf",
        )],
        source: "owntracks/recorder",
        releases: &[("0.9.9", FIXES), ("1.0.0", BREAKING), ("1.0.1", FIXES)],
    },
    Stack {
        service: "open-webui",
        namespace: "open-webui",
        backup: None,
        label: ("app", "open-webui"),
        replicas: 1,
        runs: &[literal(
            Kind::StatefulSet,
            "open-webui",
            "open-webui",
            "ghcr.io/open-webui/open-webui",
            "stacks/open-webui/main.tf",
        )],
        source: "open-webui/open-webui",
        releases: &[
            ("v0.7.2", FIXES),
            ("v0.7.3", FIXES),
            ("v0.8.0", FIXES),
            ("v0.8.12", FIXES),
        ],
    },
    Stack {
        service: "immich",
        namespace: "immich",
        backup: Some(("immich", "postgresql-backup", "postgresql")),
        label: ("app", ""),
        replicas: 1,
        runs: &[
            variable(
                "immich-server",
                "immich-server",
                "ghcr.io/immich-app/immich-server",
                "stacks/immich/variables.tf",
                "immich_version",
            ),
            variable(
                "immich-machine-learning",
                "machine-learning",
                "ghcr.io/immich-app/immich-machine-learning",
                "stacks/immich/variables.tf",
                "immich_version",
            ),
        ],
        source: "immich-app/immich",
        releases: &[("v2.7.4", FIXES), ("v2.7.5", FIXES)],
    },
    Stack {
        service: "coturn",
        namespace: "coturn",
        backup: None,
        label: ("app", "coturn"),
        replicas: 1,
        runs: &[literal(
            Kind::DaemonSet,
            "coturn",
            "coturn",
            "coturn/coturn",
            "stacks/coturn/main.tf",
        )],
        source: "coturn/coturn",
        releases: &[("4.6.3", FIXES), ("4.7.0", BREAKING), ("4.10.0", FIXES)],
    },
    Stack {
        service: "url",
        namespace: "url",
        backup: MYSQL,
        label: ("app", "shlink"),
        replicas: 2,
        runs: &[literal(
            Kind::Deployment,
            "shlink",
            "shlink",
            "shlinkio/shlink",
            "stacks/url/main.tf",
        )],
        source: "shlinkio/shlink",
        releases: &[
            ("v4.3.4", FIXES),
            ("v4.4.6", FIXES),
            ("v5.0.0", BREAKING),
            ("v5.0.2", FIXES),
        ],
    },
    Stack {
        service: "phpipam",
        namespace: "phpipam",
        backup: MYSQL,
        label: ("component", "phpipam-web"),
        replicas: 1,
        runs: &[literal(
            Kind::Deployment,
            "phpipam-web",
            "web",
            "phpipam/phpipam-www",
            "stacks/phpipam/main.tf",
        )],
        source: "phpipam/phpipam",
        releases: &[
            ("v1.7.0", FIXES),
            ("v1.7.1", FIXES),
            ("v1.7.3", FIXES),
            ("v1.7.4", FIXES),
        ],
    },
    Stack {
        service: "onlyoffice",
        namespace: "onlyoffice",
        backup: MYSQL,
        label: ("app", "onlyoffice-document-server"),
        replicas: 1,
        runs: &[literal(
            Kind::Deployment,
            "onlyoffice-document-server",
            "onlyoffice-document-server",
            "onlyoffice/documentserver",
            "stacks/onlyoffice/main.tf",
        )],
        source: "ONLYOFFICE/DocumentServer",
        releases: &[("v8.2.3", FIXES), ("v9.0.0", BREAKING), ("v9.3.1", FIXES)],
    },
    Stack {
        service: "paperless-ngx",
        namespace: "paperless-ngx",
        backup: MYSQL,
        label: ("app", "paperless-ngx"),
        replicas: 1,
        runs: &[literal(
            Kind::Deployment,
            "paperless-ngx",
            "paperless-ngx",
            "ghcr.io/paperless-ngx/paperless-ngx",
            "stacks/paperless-ngx/main.tf",
        )],
        source: "paperless-ngx/paperless-ngx",
        releases: &[
            ("v2.16.4", FIXES),
            ("v2.17.0", FIXES),
            ("v2.18.0", FIXES),
            ("v2.20.14", FIXES),
        ],
    },
    Stack {
        service: "linkwarden",
        namespace: "linkwarden",
        backup: POSTGRESQL,
        label: ("app", "linkwarden"),
        replicas: 1,
        runs: &[literal(
            Kind::Deployment,
            "linkwarden",
            "linkwarden",
            "ghcr.io/linkwarden/linkwarden",
            "stacks/linkwarden/main.tf",
        )],
        source: "linkwarden/linkwarden",
        releases: &[
            ("v2.9.1", FIXES),
            ("v2.9.2", FIXES),
            ("v2.9.3", FIXES),
            (
                "v2.10.0",
                "* database migration: highlights move to a table of their own",
            ),
            ("v2.10.1", FIXES),
            ("v2.14.0", FIXES),
        ],
    },
    Stack {
        service: "matrix",
        namespace: "matrix",
        backup: POSTGRESQL,
        label: ("app", "synapse"),
        replicas: 1,
        runs: &[
            Runs {
                kind: Kind::Deployment,
                workload: "synapse",
                container: "generate-config",
                init: true,
                repository: "matrixdotorg/synapse",
                path: "stacks/matrix/main.tf",
                at: At::Image(0),
            },
            Runs {
                kind: Kind::Deployment,
                workload: "synapse",
                container: "synapse",
                init: false,
                repository: "matrixdotorg/synapse",
                path: "stacks/matrix/main.tf",
                at: At::Image(1),
            },
        ],
        source: "element-hq/synapse",
        releases: &[
            ("v1.125.0", FIXES),
            ("v1.126.0", FIXES),
            ("v1.151.0", FIXES),
        ],
    },
    Stack {
        service: "dawarich",
        namespace: "dawarich",
        backup: POSTGRESQL,
        label: ("app", "dawarich"),
        replicas: 1,
        runs: &[
            variable(
                "dawarich",
                "dawarich",
                "freikin/dawarich",
                "stacks/dawarich/main.tf",
                "dawarich_version",
            ),
            variable(
                "dawarich",
                "sidekiq",
                "freikin/dawarich",
                "stacks/dawarich/main.tf",
                "dawarich_version",
            ),
        ],
        source: "Freika/dawarich",
        releases: &[
            ("0.37.1", FIXES),
            ("0.37.2", FIXES),
            ("1.0.0", BREAKING),
            ("1.6.1", FIXES),
        ],
    },
];

/// A second service with the image of `ebooks`; the sample tree has it only if a test wants it.
pub(super) const TWIN: Stack = Stack {
    service: "podcasts",
    namespace: "podcasts",
    backup: None,
    label: ("app", "audiobookshelf"),
    replicas: 1,
    runs: &[literal(
        Kind::Deployment,
        "audiobookshelf",
        "audiobookshelf",
        "ghcr.io/advplyr/audiobookshelf",
        "stacks/podcasts/main.tf",
    )],
    source: "advplyr/audiobookshelf",
    releases: &[],
};

impl Stack {
    /// The stack of this service.
    #[must_use]
    pub fn of(service: &str) -> Option<&'static Stack> {
        let mut all = STACKS.iter().chain([&TWIN]);
        all.find(|stack| stack.service == service)
    }

    /// The file its version is written in.
    #[must_use]
    pub fn path(&self) -> &'static str {
        self.runs.first().map_or("", |runs| runs.path)
    }

    /// The image, without tag, that its first container runs.
    #[must_use]
    pub fn image(&self) -> &'static str {
        self.runs.first().map_or("", |runs| runs.repository)
    }

    /// The version that a commit's files name, if all places agree.
    #[must_use]
    pub fn version(&self, read: impl Fn(&str) -> Option<Vec<u8>>) -> Option<String> {
        let mut versions = self.runs.iter().map(|runs| {
            let bytes = read(runs.path)?;
            written(&String::from_utf8_lossy(&bytes), runs)
        });
        let first = versions.next()??;
        versions
            .all(|other| other.as_ref() == Some(&first))
            .then_some(first)
    }

    /// The version that ready pods run, if all containers agree; init containers do not count.
    #[must_use]
    pub fn live(&self, cluster: &Cluster) -> Option<String> {
        let mut versions = self.runs.iter().filter(|runs| !runs.init).map(|runs| {
            let image = cluster.live_image(self.namespace, runs.workload, runs.container)?;
            image.rsplit_once(':').map(|(_, tag)| tag.to_owned())
        });
        let first = versions.next()??;
        versions
            .all(|other| other.as_ref() == Some(&first))
            .then_some(first)
    }

    /// Puts its workloads into the cluster, as the tree has them.
    pub(super) fn add_to(&self, cluster: &Cluster, tree: &Tree) {
        let mut done: Vec<&str> = Vec::new();
        for first in self.runs {
            if done.contains(&first.workload) {
                continue;
            }
            done.push(first.workload);
            let (key, value) = self.label;
            let value = if value.is_empty() {
                first.workload
            } else {
                value
            };
            let mut workload = Workload::new(first.kind, self.namespace, first.workload)
                .label(key, value)
                .replicas(self.replicas);
            for runs in self
                .runs
                .iter()
                .filter(|runs| runs.workload == first.workload)
            {
                let Some(image) = image_in(tree, runs) else {
                    continue;
                };
                workload = if runs.init {
                    workload.init(runs.container, &image)
                } else {
                    workload.container(runs.container, &image)
                };
            }
            cluster.add(workload);
        }
    }

    /// Publishes its releases.
    pub(super) fn publish(&self, github: &GitHub) {
        for (tag, notes) in self.releases {
            github.add_release(self.source, tag, notes);
        }
    }

    /// Publishes an image of each release in the style of what is written; of those with a revision
    /// there are two.
    pub(super) fn push(&self, registry: &Registry, tree: &Tree) {
        let Some(written) = self.version(|path| tree.get(path).cloned()) else {
            return;
        };
        for (release, _) in self.releases {
            let bare = release.trim_start_matches('v');
            let tag = if written.starts_with('v') {
                format!("v{bare}")
            } else {
                bare.to_owned()
            };
            let tags = match written.rsplit_once("-r") {
                Some(_) => vec![format!("{tag}-r0"), format!("{tag}-r1")],
                None => vec![tag],
            };
            for runs in self.runs {
                let repository = runs.repository.trim_start_matches("ghcr.io/");
                for tag in &tags {
                    registry.push_image(repository, tag);
                }
            }
        }
    }

    /// Lets the site be the ingress in front of its first workload.
    pub(super) fn serve(&self, site: &Site, cluster: &Cluster) {
        if let Some(runs) = self.runs.first() {
            site.follow(cluster, self.namespace, runs.workload);
        }
    }
}

/// What applying the tree makes of the cluster: the CI's mapping.
pub(super) fn wanted(tree: &Tree) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for stack in STACKS.iter().chain([&TWIN]) {
        for runs in stack.runs {
            if let Some(image) = image_in(tree, runs) {
                wanted.push((
                    stack.namespace.to_owned(),
                    runs.workload.to_owned(),
                    runs.container.to_owned(),
                    image,
                ));
            }
        }
    }
    wanted
}

fn image_in(tree: &Tree, runs: &Runs) -> Option<String> {
    let text = String::from_utf8_lossy(tree.get(runs.path)?).into_owned();
    written(&text, runs).map(|tag| format!("{}:{tag}", runs.repository))
}

fn written(text: &str, runs: &Runs) -> Option<String> {
    match runs.at {
        At::Image(n) => {
            let start = format!("\"{}:", runs.repository);
            let mut lines = text.lines().map(str::trim_start);
            let line = lines
                .by_ref()
                .filter(|l| l.starts_with("image") && l.contains(&start))
                .nth(n)?;
            let (_, rest) = line.split_once(&start)?;
            rest.split_once('"').map(|(tag, _)| tag.to_owned())
        }
        At::Variable(name) => {
            let (_, rest) = text.split_once(&format!("variable \"{name}\""))?;
            let line = rest
                .lines()
                .map(str::trim_start)
                .find(|line| !line.starts_with(['#', '/']) && line.contains("default"))?;
            let (_, value) = line.split_once("default")?;
            value.split('"').nth(1).map(str::to_owned)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<Vec<u8>> {
        std::fs::read(super::super::sample_tree().join(path)).ok()
    }

    #[test]
    fn the_version_of_every_stack_is_found_in_the_sample_tree() {
        let found: Vec<_> = STACKS
            .iter()
            .map(|stack| (stack.service, stack.version(read).unwrap_or_default()))
            .collect();
        let expected = [
            ("ebooks", "2.32.1"),
            ("owntracks", "0.9.9"),
            ("open-webui", "v0.7.2"),
            ("immich", "v2.7.4"),
            ("coturn", "4.6.3-r1"),
            ("url", "4.3.4"),
            ("phpipam", "v1.7.0"),
            ("onlyoffice", "8.2.3"),
            ("paperless-ngx", "2.16.4"),
            ("linkwarden", "v2.9.1"),
            ("matrix", "v1.125.0"),
            ("dawarich", "0.37.1"),
        ];
        assert_eq!(
            found,
            expected.map(|(service, version)| (service, version.to_owned()))
        );
    }

    #[test]
    fn the_cluster_starts_with_what_the_tree_says() {
        let cluster = Cluster::start().unwrap();
        let tree = STACKS
            .iter()
            .filter_map(|stack| Some((stack.path().to_owned(), read(stack.path())?)))
            .collect();
        for stack in &STACKS {
            stack.add_to(&cluster, &tree);
            assert_eq!(
                stack.live(&cluster),
                stack.version(read),
                "{}",
                stack.service
            );
        }
        assert_eq!(wanted(&tree).len(), 15);
    }
}
