//! From an image to the repositories that its release notes may live in.

use runtime::catalogue::Source;

use crate::ports::Home;

/// Endings that image names carry and repositories often do not.
const ENDINGS: [&str; 5] = ["-server", "-backend", "-frontend", "-web", "-app"];

/// The repositories to try, best first: what the configuration or the catalogue says alone, else
/// by the image's name.
pub(crate) fn candidates(image: &str, entry: Option<&Source<'_>>) -> Vec<Home> {
    if let Some(entry) = entry {
        return vec![Home {
            host: entry.host.to_owned(),
            path: entry.path.to_owned(),
        }];
    }
    let Some((host, path)) = image.split_once('/') else {
        return Vec::new();
    };
    let mut parts = path.split('/');
    let (Some(owner), Some(name), more) = (parts.next(), parts.next(), parts.next()) else {
        return Vec::new();
    };
    let simple = more.is_none();
    let first = match (host, owner) {
        ("docker.io", "library") => return Vec::new(),
        ("lscr.io", "linuxserver") if simple => {
            vec![Home::github(&format!("linuxserver/docker-{name}"))]
        }
        ("ghcr.io" | "docker.io" | "quay.io", _) if simple => vec![Home::github(path)],
        // A project may have an image for each of its parts below its own path.
        ("ghcr.io", _) => vec![Home::github(&format!("{owner}/{name}"))],
        ("registry.gitlab.com", _) => gitlab(path),
        ("codeberg.org", _) if simple => vec![Home {
            host: "codeberg.org".to_owned(),
            path: path.to_owned(),
        }],
        _ => return Vec::new(),
    };
    let mut all = first.clone();
    for home in first {
        for ending in ENDINGS {
            if let Some(short) = home.path.strip_suffix(ending)
                && !short.ends_with('/')
            {
                let path = short.to_owned();
                all.push(Home {
                    path,
                    ..home.clone()
                });
            }
        }
    }
    all
}

/// The project of an image in GitLab's registry, where a project may hold several images; and
/// whoever mirrors it to GitHub.
fn gitlab(path: &str) -> Vec<Home> {
    let mut homes = Vec::new();
    let mut project = path;
    while project.contains('/') {
        homes.push(Home {
            host: "gitlab.com".to_owned(),
            path: project.to_owned(),
        });
        project = project.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
    if path.split('/').count() == 2 {
        homes.push(Home::github(path));
    }
    homes
}

/// The repository that an image says it was built from, if that is not what its base image says of
/// itself: it has to name the image's own organisation or product.
pub(crate) fn labelled(image: &str, label: &str) -> Option<Home> {
    let address = label.split(['#', '?']).next().unwrap_or(label);
    let address = address.trim().trim_end_matches('/');
    let address = address.strip_suffix(".git").unwrap_or(address);
    let (_, rest) = address.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    let host = host.rsplit('@').next().unwrap_or(host);
    // Such as `…/tree/main/docker` behind it.
    let path = path.split("/-/").next().unwrap_or(path);
    let path = match host {
        "github.com" => {
            let mut parts = path.split('/');
            format!("{}/{}", parts.next()?, parts.next()?)
        }
        _ => path.to_owned(),
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
    let whole = path.split('/').count() >= 2
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let named = whole && host.contains('.') && path.chars().all(legal) && host.chars().all(legal);
    (named && is_own(image, &path)).then(|| Home {
        host: host.to_ascii_lowercase(),
        path,
    })
}

fn is_own(image: &str, path: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let lower = text.to_lowercase();
        let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
        words
            .filter(|word| word.len() > 2 && !COMMON.contains(word))
            .map(str::to_owned)
            .collect()
    };
    let own = image.split_once('/').map_or(image, |(_, path)| path);
    let own = words(own);
    words(path).iter().any(|word| own.contains(word))
}

/// Words in names of images and repositories that say nothing about whose they are.
const COMMON: [&str; 16] = [
    "docker",
    "image",
    "images",
    "container",
    "containers",
    "server",
    "app",
    "web",
    "api",
    "library",
    "base",
    "baseimage",
    "backend",
    "frontend",
    "core",
    "the",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(image: &str, expected: &[&str]) {
        let found: Vec<String> = candidates(image, None)
            .iter()
            .map(Home::to_string)
            .collect();
        assert_eq!(found, expected, "{image}");
    }

    #[test]
    fn an_entry_stands_alone() {
        let entry = |text| candidates("docker.io/a/b", Source::parse(text).as_ref());
        assert_eq!(
            entry("element-hq/synapse"),
            [Home::github("element-hq/synapse")]
        );
        let forgejo = entry("codeberg.org/forgejo/forgejo");
        assert_eq!(forgejo[0].to_string(), "codeberg.org/forgejo/forgejo");
    }

    #[test]
    fn without_an_entry_the_name_is_tried_and_then_the_name_without_its_ending() {
        check("ghcr.io/o/r", &["github.com/o/r"]);
        check("ghcr.io/o/r/part", &["github.com/o/r"]);
        check(
            "docker.io/acme/thing-server",
            &["github.com/acme/thing-server", "github.com/acme/thing"],
        );
        check(
            "lscr.io/linuxserver/lidarr",
            &["github.com/linuxserver/docker-lidarr"],
        );
        check("quay.io/o/r-app", &["github.com/o/r-app", "github.com/o/r"]);
        check("codeberg.org/o/r", &["codeberg.org/o/r"]);
        check(
            "registry.gitlab.com/o/r",
            &["gitlab.com/o/r", "github.com/o/r"],
        );
        check(
            "registry.gitlab.com/group/sub/r/part",
            &[
                "gitlab.com/group/sub/r/part",
                "gitlab.com/group/sub/r",
                "gitlab.com/group/sub",
            ],
        );
        check("docker.io/library/alpine", &[]);
        check("host:5000/x/y", &[]);
    }

    #[test]
    fn a_label_is_believed_unless_a_base_image_may_have_left_it() {
        for (image, label, expected) in [
            (
                "docker.io/acme/thing",
                "https://github.com/acme/thing-src",
                Some("github.com/acme/thing-src"),
            ),
            (
                "docker.io/acme/thing",
                "https://github.com/other/thing.git",
                Some("github.com/other/thing"),
            ),
            (
                "docker.io/acme/thing",
                "https://github.com/acme/thing/tree/main/docker",
                Some("github.com/acme/thing"),
            ),
            (
                "docker.io/acme/thing",
                "https://gitlab.com/acme/sub/thing/-/tree/main",
                Some("gitlab.com/acme/sub/thing"),
            ),
            (
                "docker.io/acme/thing",
                "https://user:pass@git.example.org/acme/thing",
                Some("git.example.org/acme/thing"),
            ),
            // The base image's own.
            (
                "docker.io/acme/thing",
                "https://github.com/linuxserver/docker-baseimage-alpine",
                None,
            ),
            (
                "docker.io/acme/web-app",
                "https://github.com/nodejs/docker-node",
                None,
            ),
            (
                "docker.io/acme/thing",
                "https://github.com/acme/thing.git#0a1b2c3",
                Some("github.com/acme/thing"),
            ),
            (
                "docker.io/acme/thing",
                "https://git.example.org/acme/../../admin/thing",
                None,
            ),
            ("docker.io/acme/thing", "https://github.com/", None),
            ("docker.io/acme/thing", "acme/thing", None),
            (
                "docker.io/acme/thing",
                "https://github.com/acme/th ing",
                None,
            ),
            ("docker.io/acme/thing", "", None),
        ] {
            let found = labelled(image, label).map(|home| home.to_string());
            assert_eq!(found.as_deref(), expected, "{image}, {label}");
        }
    }
}
