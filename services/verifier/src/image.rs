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

#[cfg(test)]
mod tests {
    use super::*;

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
