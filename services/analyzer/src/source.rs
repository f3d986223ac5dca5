//! From an image to the repository that its release notes live in.

use runtime::catalogue::Source;

/// Endings that image names carry and repositories often do not.
const ENDINGS: [&str; 5] = ["-server", "-backend", "-frontend", "-web", "-app"];

/// The repositories to try on GitHub, best first: the catalogue's entry alone, else by the name.
///
/// `entry` is what the configuration or the catalogue says; other forges are not asked.
pub(crate) fn candidates(image: &str, entry: Option<&Source<'_>>) -> Vec<String> {
    if let Some(entry) = entry {
        return if entry.host == "github.com" {
            vec![entry.path.to_owned()]
        } else {
            Vec::new()
        };
    }
    let mut parts = image.split('/');
    let (Some(host), Some(owner), Some(name), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Vec::new();
    };
    let first = match (host, owner) {
        ("docker.io", "library") => return Vec::new(),
        ("lscr.io", "linuxserver") => format!("linuxserver/docker-{name}"),
        ("ghcr.io" | "docker.io" | "quay.io" | "registry.gitlab.com", _) => {
            format!("{owner}/{name}")
        }
        _ => return Vec::new(),
    };
    let mut all = vec![first.clone()];
    for ending in ENDINGS {
        if let Some(short) = first.strip_suffix(ending)
            && !short.ends_with('/')
        {
            all.push(short.to_owned());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(image: &str, expected: &[&str]) {
        assert_eq!(candidates(image, None), expected, "{image}");
    }

    #[test]
    fn an_entry_stands_alone() {
        let entry = |text| candidates("docker.io/a/b", Source::parse(text).as_ref());
        assert_eq!(entry("element-hq/synapse"), ["element-hq/synapse"]);
        assert!(entry("codeberg.org/forgejo/forgejo").is_empty());
    }

    #[test]
    fn without_an_entry_the_name_is_tried_and_then_the_name_without_its_ending() {
        check("ghcr.io/o/r", &["o/r"]);
        check(
            "docker.io/acme/thing-server",
            &["acme/thing-server", "acme/thing"],
        );
        check("lscr.io/linuxserver/lidarr", &["linuxserver/docker-lidarr"]);
        check("quay.io/o/r-app", &["o/r-app", "o/r"]);
        check("docker.io/library/alpine", &[]);
        check("host:5000/x/y", &[]);
    }
}
