//! Whether a live image is the wanted one, whatever way either is spelled.

use version::ImageRef;

/// The image with its registry and tag, without digest: `nginx` is `docker.io/library/nginx:latest`.
pub(crate) fn normalised(image: &str) -> String {
    match ImageRef::parse(image) {
        Ok(parsed) => {
            format!(
                "{}:{}",
                parsed.normalised(),
                parsed.tag.as_deref().unwrap_or("latest")
            )
        }
        // A spelling that is no reference equals only itself.
        Err(_) => image.to_owned(),
    }
}

/// Whether both name the same image and tag.
pub(crate) fn same(live: &str, wanted: &str) -> bool {
    normalised(live) == normalised(wanted)
}

/// The image without tag, the same for every spelling.
pub(crate) fn repository(image: &str) -> Option<String> {
    ImageRef::parse(image)
        .ok()
        .map(|parsed| parsed.normalised())
}

/// Whether a live image is `repository` at this app version; its tag may say more than that.
pub(crate) fn says_app(live: &str, repository: &str, app: &str) -> bool {
    let Ok(parsed) = ImageRef::parse(live) else {
        return false;
    };
    let tag = parsed.tag.as_deref().unwrap_or("latest");
    parsed.normalised() == version::normalise(repository) && version::says_app(tag, app)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_runs_an_app_version_whatever_else_the_tag_says() {
        for (live, app, expected) in [
            ("nextcloud:31.0.6-apache", "31.0.6", true),
            ("docker.io/library/nextcloud:v31.0.6", "31.0.6", true),
            ("nextcloud:31.0.5-apache", "31.0.6", false),
            ("ghcr.io/acme/nextcloud:31.0.6", "31.0.6", false),
            ("nextcloud", "31.0.6", false),
        ] {
            let found = says_app(live, "docker.io/library/nextcloud", app);
            assert_eq!(found, expected, "{live} and {app}");
        }
    }

    #[test]
    fn spelling_does_not_matter_but_registry_name_and_tag_do() {
        let digest = "a".repeat(64);
        for (live, wanted, expected) in [
            ("nginx:1.25", "docker.io/library/nginx:1.25", true),
            ("index.docker.io/library/nginx:1.25", "nginx:1.25", true),
            (&format!("nginx:1.25@sha256:{digest}"), "nginx:1.25", true),
            ("nginx", "nginx:latest", true),
            ("registry:5000/a/b:1", "registry:5000/a/b:1", true),
            ("nginx:1.25", "nginx:1.26", false),
            ("ghcr.io/library/nginx:1.25", "nginx:1.25", false),
            ("linuxserver/nginx:1.25", "nginx:1.25", false),
        ] {
            assert_eq!(same(live, wanted), expected, "{live} and {wanted}");
        }
    }
}
