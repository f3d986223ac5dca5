//! One name per repository, whichever way it was written.

use crate::image::ImageRef;

/// What a normalised name calls Docker Hub.
pub const DOCKER_HUB: &str = "docker.io";
const HUB_ALIASES: [&str; 3] = [DOCKER_HUB, "index.docker.io", "registry-1.docker.io"];

/// A repository's full name, with registry and, on Docker Hub, `library`.
///
/// `alpine` → `docker.io/library/alpine`, `vaultwarden/server` → `docker.io/vaultwarden/server`.
#[must_use]
pub fn normalise(repository: &str) -> String {
    let (host, path) = match split_host(repository) {
        Some((host, path)) => (host.to_ascii_lowercase(), path),
        None => (DOCKER_HUB.to_owned(), repository),
    };
    if !HUB_ALIASES.contains(&host.as_str()) {
        return format!("{host}/{path}");
    }
    if path.contains('/') {
        format!("{DOCKER_HUB}/{path}")
    } else {
        format!("{DOCKER_HUB}/library/{path}")
    }
}

/// The other ways to write a normalised name, longest first; none outside Docker Hub.
#[must_use]
pub fn short_forms(normalised: &str) -> Vec<String> {
    let Some((DOCKER_HUB, path)) = normalised.split_once('/') else {
        return Vec::new();
    };
    match path.strip_prefix("library/") {
        Some(bare) if !bare.contains('/') => {
            vec![
                format!("{DOCKER_HUB}/{bare}"),
                path.to_owned(),
                bare.to_owned(),
            ]
        }
        _ => vec![path.to_owned()],
    }
}

/// Does a glob (`*` = anything, also `/`) match the image's full name or one of its short forms?
///
/// Tags take no part, so `acme/*` also means `docker.io/acme/*` at any tag.
#[must_use]
pub fn matches_pattern(pattern: &str, image: &ImageRef) -> bool {
    let normalised = image.normalised();
    glob(pattern, &normalised)
        || short_forms(&normalised)
            .iter()
            .any(|form| glob(pattern, form))
}

/// The first component, when it names a registry: it holds a dot or a port, is `localhost`, or has
/// a capital letter, which paths may not have.
pub(crate) fn split_host(repository: &str) -> Option<(&str, &str)> {
    let (host, path) = repository.split_once('/')?;
    let names_registry = host == "localhost"
        || host.contains(['.', ':'])
        || host.contains(|c: char| c.is_ascii_uppercase());
    names_registry.then_some((host, path))
}

fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_has_one_full_name() {
        for (written, full) in [
            ("alpine", "docker.io/library/alpine"),
            ("library/alpine", "docker.io/library/alpine"),
            ("docker.io/alpine", "docker.io/library/alpine"),
            ("docker.io/library/alpine", "docker.io/library/alpine"),
            ("index.docker.io/library/alpine", "docker.io/library/alpine"),
            ("vaultwarden/server", "docker.io/vaultwarden/server"),
            ("GHCR.io/o/r", "ghcr.io/o/r"),
            ("localhost/x", "localhost/x"),
            ("host:5000/x/y", "host:5000/x/y"),
        ] {
            assert_eq!(normalise(written), full);
            assert_eq!(normalise(full), full);
        }
    }

    #[test]
    fn short_forms_mean_the_same_repository() {
        assert_eq!(
            short_forms("docker.io/library/alpine"),
            ["docker.io/alpine", "library/alpine", "alpine"]
        );
        assert_eq!(short_forms("docker.io/o/r"), ["o/r"]);
        assert!(short_forms("ghcr.io/o/r").is_empty());
        for full in ["docker.io/library/alpine", "docker.io/o/r"] {
            assert!(short_forms(full).iter().all(|form| normalise(form) == full));
        }
    }

    #[test]
    fn patterns_match_whole_names_in_every_spelling() {
        for (pattern, image, expected) in [
            ("*postgres*", "postgres:16", true),
            ("*postgres*", "ghcr.io/immich-app/postgres:14", true),
            ("acme/*", "docker.io/acme/shop:1", true),
            ("acme/*", "acme/shop:1", true),
            ("acme/*", "ghcr.io/acme/shop:1", false),
            ("docker.io/acme/*", "acme/shop", true),
            (
                "registry.k8s.io/*",
                "registry.k8s.io/sig-storage/csi:v1",
                true,
            ),
            ("quay.io/tigera/*", "quay.io/metallb/speaker:v1", false),
            ("alpine", "docker.io/library/alpine:3", true),
            ("shlinkio/shlink", "shlinkio/shlink-web-client", false),
            ("*/shlink", "shlinkio/shlink:1", true),
            ("a*b*c", "a/b/xc", true),
            ("*redis", "redis-exporter", false),
            ("", "alpine", false),
            ("*", "alpine", true),
        ] {
            let parsed = ImageRef::parse(image).unwrap();
            assert_eq!(
                matches_pattern(pattern, &parsed),
                expected,
                "{pattern} on {image}"
            );
        }
    }
}
