//! The release notes between two versions, and the versions to step through.

use risk::Note;
use runtime::catalogue::Source;
use version::Tag;

use crate::chart::Deploys;
use crate::ports::{PortError, Release, Releases};
use crate::source;

/// What is known about the way from one version to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// The source repository's address; empty if none was found.
    pub source_url: String,
    /// The notes of every release in between, the target's included, oldest first.
    pub notes: Vec<Note>,
    /// The tags in between, in the site's own style, oldest first, without the target.
    pub tags: Vec<String>,
    /// Why there are no notes, in a sentence for people.
    pub without: Option<String>,
    /// The versions are a chart's; the notes are those of the app that it deploys.
    pub chart: Option<Deploys>,
}

/// Asks the candidates in turn; the first repository that exists answers.
///
/// # Errors
/// [`PortError`] when a source is out of reach: that is no reason to call the notes absent.
pub async fn way(
    releases: &dyn Releases,
    image: &str,
    entry: Option<&Source<'_>>,
    from: &str,
    to: &str,
) -> Result<Way, PortError> {
    let candidates = source::candidates(image, entry);
    for repository in &candidates {
        if let Some(all) = releases.all(repository).await? {
            return Ok(along(repository, &all, from, to));
        }
    }
    Ok(Way {
        without: Some(match entry {
            Some(entry) if candidates.is_empty() => format!(
                "the source repository of {image} is on {}, and only GitHub is asked so far",
                entry.host
            ),
            None if candidates.is_empty() => {
                format!("no source repository is known for {image}; name one under [sources]")
            }
            _ => format!(
                "none of these repositories exists on GitHub: {}",
                candidates.join(", ")
            ),
        }),
        ..Way::default()
    })
}

fn along(repository: &str, all: &[Release], from: &str, to: &str) -> Way {
    let (from_tag, to_tag) = (Tag::parse(from), Tag::parse(to));
    let names = || {
        all.iter()
            .filter(|release| {
                from_tag.is_prerelease()
                    || !release.prerelease
                    || version::same_version(named(&release.tag), to)
            })
            .map(|release| named(&release.tag).to_owned())
    };
    let between = version::releases_between(&from_tag, &to_tag, names());
    let notes: Vec<Note> = between
        .iter()
        .filter_map(|name| all.iter().find(|release| named(&release.tag) == name))
        .map(|release| Note {
            version: release.tag.clone(),
            title: release.title.clone(),
            body: release.body.clone(),
            url: release.url.clone(),
        })
        .collect();
    let tags = version::between(
        &from_tag,
        &to_tag,
        names().map(|name| respelled(&name, from)),
    )
    .into_iter()
    .filter(|tag| tag != to)
    .collect();
    let without = notes
        .is_empty()
        .then(|| format!("{repository} has no release between {from} and {to} on GitHub"));
    Way {
        source_url: format!("https://github.com/{repository}"),
        notes,
        tags,
        without,
        chart: None,
    }
}

/// A release's name without the folder that some projects put their tags into.
fn named(tag: &str) -> &str {
    let folders = ["version/", "release/", "releases/"];
    let mut folders = folders.iter().filter_map(|folder| tag.strip_prefix(folder));
    folders.next().unwrap_or(tag)
}

/// A release's name with or without `v`, as the site writes its tags.
fn respelled(name: &str, like: &str) -> String {
    let bare = name.strip_prefix('v').unwrap_or(name);
    if like.starts_with('v') {
        format!("v{bare}")
    } else {
        bare.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(tag: &str) -> Release {
        Release {
            tag: tag.to_owned(),
            title: None,
            body: format!("notes of {tag}"),
            url: String::new(),
            prerelease: tag.contains("rc"),
        }
    }

    fn check(from: &str, to: &str, releases: &[&str], notes: &[&str], tags: &[&str]) {
        let all: Vec<Release> = releases.iter().map(|tag| release(tag)).collect();
        let way = along("o/r", &all, from, to);
        let found: Vec<&str> = way.notes.iter().map(|note| note.version.as_str()).collect();
        assert_eq!(found, notes, "notes {from} -> {to}");
        assert_eq!(way.tags, tags, "tags {from} -> {to}");
    }

    #[test]
    fn releases_with_and_without_v_belong_to_the_way() {
        let releases = ["v1.2.0", "v1.1.0", "v1.0.0", "v1.3.0"];
        check(
            "1.0.0",
            "1.2.0",
            &releases,
            &["v1.1.0", "v1.2.0"],
            &["1.1.0"],
        );
        check(
            "v1.0.0",
            "v1.2.0",
            &["1.2.0", "1.1.0"],
            &["1.1.0", "1.2.0"],
            &["v1.1.0"],
        );
    }

    #[test]
    fn releases_whose_tags_lie_in_a_folder_belong_to_the_way() {
        check(
            "2026.2.2",
            "2026.2.4",
            &["version/2026.2.4", "version/2026.2.3", "version/2026.2.2"],
            &["version/2026.2.3", "version/2026.2.4"],
            &["2026.2.3"],
        );
    }

    #[test]
    fn prereleases_and_backports_out_of_order_do_not_confuse_it() {
        check(
            "1.0.0",
            "2.0.0",
            &[
                "v2.0.0",
                "v2.0.0-rc1",
                "v1.0.1",
                "v0.9.9",
                "v1.10.0",
                "v1.2.1",
            ],
            &["v1.0.1", "v1.2.1", "v1.10.0", "v2.0.0"],
            &["1.0.1", "1.2.1", "1.10.0"],
        );
    }

    #[test]
    fn the_targets_notes_count_although_they_are_marked_as_a_prerelease() {
        let mut all = [release("v1.1.0"), release("v1.2.0")];
        for release in &mut all {
            release.prerelease = true;
        }
        let way = along("o/r", &all, "1.0.0", "1.2.0");
        assert_eq!((way.notes.len(), way.tags.len()), (1, 0));
        assert_eq!(way.notes[0].version, "v1.2.0");
    }

    /// Repositories by name; everything else is absent, and `down` is out of reach.
    struct Forge(Vec<(&'static str, Vec<&'static str>)>);

    #[async_trait::async_trait]
    impl Releases for Forge {
        async fn all(&self, repository: &str) -> Result<Option<Vec<Release>>, PortError> {
            if repository.starts_with("down/") {
                return Err(PortError::new("out of reach"));
            }
            let found = self.0.iter().find(|(name, _)| *name == repository);
            Ok(found.map(|(_, tags)| tags.iter().map(|tag| release(tag)).collect()))
        }
    }

    async fn ask(forge: &Forge, image: &str, entry: Option<&str>) -> Result<Way, PortError> {
        let entry = entry.and_then(Source::parse);
        way(forge, image, entry.as_ref(), "1.0.0", "1.1.0").await
    }

    #[tokio::test]
    async fn the_first_repository_that_exists_answers() {
        let forge = Forge(vec![
            ("acme/thing", vec!["v1.1.0"]),
            ("own/fork", vec!["1.1.0"]),
        ]);
        let image = "ghcr.io/acme/thing-server";
        let found = ask(&forge, image, None).await.unwrap();
        assert_eq!(found.source_url, "https://github.com/acme/thing");
        assert_eq!((found.notes.len(), found.without), (1, None));
        let found = ask(&forge, image, Some("own/fork")).await.unwrap();
        assert_eq!(found.source_url, "https://github.com/own/fork");
    }

    #[tokio::test]
    async fn absent_notes_are_explained() {
        let forge = Forge(vec![("acme/thing", vec!["v1.0.0"])]);
        for (image, entry, expected) in [
            (
                "ghcr.io/acme/thing",
                None,
                "acme/thing has no release between 1.0.0 and 1.1.0 on GitHub",
            ),
            (
                "ghcr.io/acme/gone-app",
                None,
                "none of these repositories exists on GitHub: acme/gone-app, acme/gone",
            ),
            (
                "host:5000/x/y",
                None,
                "no source repository is known for host:5000/x/y; name one under [sources]",
            ),
            (
                "docker.io/a/b",
                Some("codeberg.org/a/b"),
                "the source repository of docker.io/a/b is on codeberg.org, and only GitHub is \
                 asked so far",
            ),
        ] {
            let found = ask(&forge, image, entry).await.unwrap();
            assert_eq!(found.without.as_deref(), Some(expected));
            assert!(found.notes.is_empty() && found.tags.is_empty());
        }
    }

    #[tokio::test]
    async fn notes_out_of_reach_are_not_absent() {
        let forge = Forge(Vec::new());
        ask(&forge, "ghcr.io/down/thing", None).await.unwrap_err();
    }
}
