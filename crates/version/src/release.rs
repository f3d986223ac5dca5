//! Releases as projects name them: `v1.2.3`, `app@1.2.3`, `app-v1.2.3`, `release/1.2`, `b4719`.

use crate::grammar::{COMMIT, Kind};
use crate::tag::{Shape, Tag};

/// The version that a release's name holds, and whose release it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseName {
    /// The version with its `v`, if it wears one, or with the `b` of a build.
    pub version: String,
    /// The part of a monorepo that it belongs to, in small letters; none for the whole.
    pub package: Option<String>,
}

/// Folders and words in front of a version that name no package.
const NO_PACKAGES: [&str; 14] = [
    "", "v", "version", "versions", "ver", "release", "releases", "rel", "tag", "tags", "stable",
    "final", "build", "builds",
];
/// Words of packages that hold Helm charts.
const CHARTS: [&str; 3] = ["chart", "charts", "helm"];
/// What keeps a package and its version apart.
const SEPARATORS: [char; 4] = ['-', '_', '.', ' '];

impl ReleaseName {
    /// Reads a name; none if no version ends it.
    #[must_use]
    pub fn parse(name: &str) -> Option<ReleaseName> {
        if name.len() > 128 {
            return None;
        }
        // `app@1.2.3`, `@scope/app@1.2.3`, `release/1.2`, `refs/tags/v1`
        let (before, rest) = match name.rsplit_once('@') {
            Some((package, rest)) => (package, rest),
            None => name.rsplit_once('/').unwrap_or(("", name)),
        };
        // `App 1.2.3`, but not `1.2.3 RC 1`.
        let last = rest.rsplit(' ').next()?;
        let (named, _) = rest.split_at_checked(rest.len() - last.len())?;
        if named.split(' ').any(is_version) {
            return None;
        }
        let tag = Tag::parse(last);
        let Kind::Numeric(numeric) = &tag.kind else {
            return None;
        };
        let (front, numbers) = rest.split_at_checked(named.len() + numeric.prefix.len())?;
        // `app-v1.2.3`, `v1.2.3`, `version-1.2`, `b4719`
        let bare = front
            .strip_suffix(['v', 'V'])
            .or_else(|| is_build(numbers).then(|| before_build(front)).flatten())
            .unwrap_or(front);
        let version = rest.get(bare.len()..)?;
        let word = bare.trim_end_matches(SEPARATORS);
        let joined = word.is_empty() || word.len() < bare.len();
        let folder = before.rsplit('/').next().unwrap_or_default();
        let package = match (word, is_chart(&folder.to_lowercase())) {
            ("", _) => before.to_owned(),
            // `charts/app-1.2.3` is not the app's own.
            (word, true) => format!("{folder}/{word}"),
            (word, false) => word.to_owned(),
        };
        let clean = |c: char| c.is_ascii_alphanumeric() || ".-_+".contains(c);
        // `1.x` names a line, `2nd` and `3d` nothing.
        let mut parts = numbers.split('.');
        let line = parts.any(|part| ["x", "X", "*"].contains(&part));
        let word_like = numeric.shape == Shape::Dotted
            && !numbers.contains('.')
            && numeric.flavour != COMMIT
            && numbers.ends_with(|c: char| c.is_ascii_alphabetic());
        let holds =
            joined && is_version(version) && !line && !word_like && numbers.chars().all(clean);
        holds.then(|| ReleaseName {
            version: version.to_owned(),
            package: package_of(&package),
        })
    }

    /// Whether it says the version of this image tag, but for what only the image has.
    #[must_use]
    pub fn says(&self, tag: &str) -> bool {
        crate::says_app(tag, &self.version)
    }
}

fn is_version(text: &str) -> bool {
    matches!(Tag::parse(text).kind, Kind::Numeric(_))
}

/// The number of a build: `b12` may be anything.
fn is_build(numbers: &str) -> bool {
    numbers.len() > 2 && numbers.chars().all(|c| c.is_ascii_digit())
}

/// What stands in front of the `b` of `b4719` or `app-b4719`.
fn before_build(front: &str) -> Option<&str> {
    front
        .strip_suffix('b')
        .filter(|before| before.is_empty() || before.ends_with(SEPARATORS))
}

fn package_of(text: &str) -> Option<String> {
    let name = text.trim_start_matches('@').to_lowercase();
    let last = name.rsplit('/').next().unwrap_or_default();
    (!NO_PACKAGES.contains(&last)).then_some(name)
}

/// Does a package hold a Helm chart?
fn is_chart(package: &str) -> bool {
    let mut words = package.split(['/', '-', '_', '.']);
    words.any(|word| CHARTS.contains(&word))
}

/// The package whose releases an image's versions are, among all releases of a repository: the
/// whole if that has the wanted version, else the one that the image is named after, else the only
/// one that has it.
///
/// Being the only one says nothing where the whole has releases of its own near the wanted version:
/// its release may only be late. Nor does it for a chart, which may bear the version of its app.
#[must_use]
pub fn package_for(image: &str, to: &str, releases: &[ReleaseName]) -> Option<String> {
    let having: Vec<&Option<String>> = {
        let mut having: Vec<_> = releases
            .iter()
            .filter(|release| release.says(to))
            .map(|release| &release.package)
            .collect();
        having.sort();
        having.dedup();
        having
    };
    if having.contains(&&None) {
        return None;
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    let of_image = |package: &&&Option<String>| {
        package.as_ref().is_some_and(|package| {
            let last = package.rsplit('/').next().unwrap_or(package);
            name == last || name.split(['-', '_', '.']).any(|word| word == last)
        })
    };
    let named = having.iter().find(of_image);
    let only = having.first().filter(|package| {
        let chart = package.as_deref().is_some_and(is_chart);
        having.len() == 1 && !chart && !whole_is_near(to, releases)
    });
    named.or(only).and_then(|package| (*package).clone())
}

/// Has the whole a release of the wanted version's first number, or of the one before?
fn whole_is_near(to: &str, releases: &[ReleaseName]) -> bool {
    let first = |version: &str| match Tag::parse(version).kind {
        Kind::Numeric(numeric) => numeric.parts.first().copied(),
        Kind::Floating | Kind::Commit | Kind::Digest => None,
    };
    let Some(wanted) = first(to) else {
        return false;
    };
    let mut whole = releases.iter().filter(|release| release.package.is_none());
    whole.any(|release| {
        let behind = first(&release.version).and_then(|found| wanted.checked_sub(found));
        behind.is_some_and(|behind| behind <= 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_a_version_and_perhaps_a_package() {
        for (name, version, package) in [
            ("1.2.3", "1.2.3", None),
            ("v1.2.3", "v1.2.3", None),
            ("V2.0", "V2.0", None),
            ("version/2026.2.3", "2026.2.3", None),
            ("release/1.2", "1.2", None),
            ("release-1.2.3", "1.2.3", None),
            ("releases/v1.2.3", "v1.2.3", None),
            ("refs/tags/v1.2.3", "v1.2.3", None),
            ("rel_1.2", "1.2", None),
            ("app-v1.2.3", "v1.2.3", Some("app")),
            ("app-1.2.3", "1.2.3", Some("app")),
            ("app@1.2.3", "1.2.3", Some("app")),
            ("App@v1.2.3", "v1.2.3", Some("app")),
            ("@scope/app@1.2.3", "1.2.3", Some("scope/app")),
            ("charts/app/1.2.3", "1.2.3", Some("charts/app")),
            ("charts/app-1.2.3", "1.2.3", Some("charts/app")),
            ("Charts/App-1.2.3", "1.2.3", Some("charts/app")),
            ("refs/tags/app-1.2.3", "1.2.3", Some("app")),
            ("refs/tags/charts/app-1.2.3", "1.2.3", Some("charts/app")),
            ("release/app-1.2.3", "1.2.3", Some("app")),
            ("web-client-2.0.0-rc.1", "2.0.0-rc.1", Some("web-client")),
            ("4.6.3-r1", "4.6.3-r1", None),
            ("1.2.0rc1", "1.2.0rc1", None),
            ("2026.05.14", "2026.05.14", None),
            ("v12", "v12", None),
            ("RELEASE.2024-11-07T00-52-20Z", "2024-11-07T00-52-20Z", None),
            ("2024-02-01", "2024-02-01", None),
            ("20240201", "20240201", None),
            ("app-2024-02-01", "2024-02-01", Some("app")),
            ("n8n-1.2.3", "1.2.3", Some("n8n")),
            ("n8n@1.2.3", "1.2.3", Some("n8n")),
            ("log2ram-1.2.0", "1.2.0", Some("log2ram")),
            ("oauth2-proxy-7.6.0", "7.6.0", Some("oauth2-proxy")),
            ("oauth2-proxy-v7.6.0", "v7.6.0", Some("oauth2-proxy")),
            ("k8s-monitoring-1.2.3", "1.2.3", Some("k8s-monitoring")),
            ("s3-proxy-1.2.3-rc.1", "1.2.3-rc.1", Some("s3-proxy")),
            ("amd64-1.2.3", "1.2.3", Some("amd64")),
            ("x86_64-1.2.3", "1.2.3", Some("x86_64")),
            ("php8.2-1.2.3", "1.2.3", Some("php8.2")),
            ("Release 1.2.3", "1.2.3", None),
            ("Log2Ram 1.2.3", "1.2.3", Some("log2ram")),
            ("b4719", "b4719", None),
            ("llama-b4719", "b4719", Some("llama")),
            ("build-4719", "4719", None),
            ("stable-9823", "9823", None),
            ("260407-c5d2f81aa", "260407-c5d2f81aa", None),
        ] {
            let expected = ReleaseName {
                version: version.to_owned(),
                package: package.map(str::to_owned),
            };
            assert_eq!(ReleaseName::parse(name), Some(expected), "{name}");
        }
        for name in [
            "",
            "latest",
            "nightly",
            "1.x",
            "2nd",
            "app",
            "k8s",
            "file3",
            "v",
            "1.2,3",
            "b2",
            "b4719a",
            "python3.12",
            "h264",
            "n8n",
            "s3-proxy",
            "app-62e2162",
        ] {
            assert_eq!(ReleaseName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_release_says_the_tags_of_its_version() {
        for (name, tag) in [
            (
                "RELEASE.2024-11-07T00-52-20Z",
                "RELEASE.2024-11-07T00-52-20Z",
            ),
            ("n8n@1.2.3", "1.2.3-alpine"),
            ("oauth2-proxy-v7.6.0", "v7.6.0"),
            ("b4719", "server-b4719"),
            ("b4719", "full-cuda-b4719"),
        ] {
            let release = ReleaseName::parse(name);
            assert!(
                release.is_some_and(|release| release.says(tag)),
                "{name} {tag}"
            );
        }
    }

    #[test]
    fn an_images_package_is_the_whole_or_its_namesake_or_the_only_one() {
        let check = |image: &str, to: &str, releases: &[&str], expected: Option<&str>| {
            let names: Vec<ReleaseName> = releases
                .iter()
                .filter_map(|name| ReleaseName::parse(name))
                .collect();
            assert_eq!(
                package_for(image, to, &names).as_deref(),
                expected,
                "{image} {to}"
            );
        };
        let mixed = ["v1.2.0", "web@1.2.0", "server@1.2.0", "server@1.3.0"];
        check("ghcr.io/acme/thing", "1.2.0", &mixed, None);
        check("ghcr.io/acme/thing-server", "1.3.0", &mixed, Some("server"));
        // The whole has releases of its own, and none of this version yet.
        check("ghcr.io/acme/thing", "1.3.0", &mixed, None);
        let early = ["v1.9.0", "server@2.0.0"];
        check("ghcr.io/acme/thing", "2.0.0", &early, None);
        // It had some long ago, or dates only.
        let former = ["v0.9.0", "2024-02-01", "server@2.0.0"];
        check("ghcr.io/acme/thing", "2.0.0", &former, Some("server"));
        let later = ["server@1.9.0", "v2.0.0"];
        check("ghcr.io/acme/thing", "1.9.0", &later, Some("server"));
        // A chart that bears the app's version is not the app.
        for chart in [
            "my-chart-1.2.3",
            "helm-1.2.3",
            "chart/1.2.3",
            "charts/other/1.2.3",
            "charts/other-1.2.3",
            "thing-helm-chart@1.2.3",
        ] {
            check("ghcr.io/acme/thing", "1.2.3", &[chart], None);
        }
        check(
            "ghcr.io/acme/chart-museum",
            "1.2.3",
            &["chart-1.2.3"],
            Some("chart"),
        );
        let parts = ["web@1.2.0", "server@1.2.0"];
        check("ghcr.io/acme/thing-server", "1.2.0", &parts, Some("server"));
        check("ghcr.io/acme/thing", "1.2.0", &parts, None);
        check("ghcr.io/acme/thing", "9.9.9", &parts, None);
    }
}
