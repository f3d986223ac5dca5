//! The release notes between two versions, and the versions to step through.

use risk::Note;
use runtime::catalogue::Source;
use version::{ReleaseName, Tag, package_for};

use crate::changelog::{self, Wanted};
use crate::chart::Deploys;
use crate::little::{LITTLE, merged, says_little};
use crate::ports::{Home, Images, PortError, Release, Releases};
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
    /// The project's releases are known in the site's own style: what is not among `tags` was not
    /// released.
    pub released: bool,
    /// Releases in between of which no image was published.
    pub missing: Vec<String>,
    /// Why nobody could look whether there is an image of the target.
    pub unseen: Option<String>,
    /// Notes are known, and the target's own are not among them.
    pub headless: bool,
    /// Why there are no notes, in a sentence for people.
    pub without: Option<String>,
    /// Where was looked, and what was there, in words for people.
    pub tried: Vec<String>,
    /// The versions are a chart's; the notes are those of the app that it deploys.
    pub chart: Option<Deploys>,
}

impl Way {
    /// The app's version at a tag: what a chart's version brings, else the tag itself.
    pub(crate) fn app_of<'a>(&'a self, tag: &'a str) -> &'a str {
        let chart = self.chart.as_ref();
        chart
            .and_then(|chart| chart.route.app_at(tag))
            .unwrap_or(tag)
    }
}

/// Who is asked for notes.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The git hosts.
    pub releases: &'a dyn Releases,
    /// The registries; without them no image is asked for its source.
    pub images: Option<&'a dyn Images>,
}

/// Asks the candidates in turn; the first repository that exists answers.
///
/// # Errors
/// [`PortError`] when a source is out of reach: that is no reason to call the notes absent.
pub async fn way(
    sources: Sources<'_>,
    image: &str,
    entry: Option<&Source<'_>>,
    from: &str,
    to: &str,
) -> Result<Way, PortError> {
    let mut tried = Vec::new();
    let mut refused = None;
    let mut homes = source::candidates(image, entry);
    let mut asked = 0;
    let mut labelled = entry.is_some();
    loop {
        let Some(home) = homes.get(asked).cloned() else {
            if labelled {
                break;
            }
            labelled = true;
            homes.extend(by_label(sources, image, to, &mut tried).await?);
            continue;
        };
        asked += 1;
        if !sources.releases.knows(&home.host) {
            let host = &home.host;
            tried.push(format!(
                "{home}: {host} is no known git host; name it under [forges]"
            ));
            continue;
        }
        match sources.releases.all(&home).await {
            Ok(Some(all)) => {
                let wanted = Wanted { image, from, to };
                return along(sources.releases, &home, &all, &wanted, tried).await;
            }
            Ok(None) => tried.push(format!("{home}: no such repository")),
            // Where the place is a guess, there may be nothing that anybody keeps from us.
            Err(error) if error.lasting && entry.is_none() => {
                tried.push(format!("{home}: {error}"));
                refused = Some(format!("whether {home} has notes cannot be seen: {error}"));
            }
            Err(error) => return Err(error),
        }
    }
    let without = refused.unwrap_or_else(|| match homes.as_slice() {
        [] => format!("no source repository is known for {image}; name one under [sources]"),
        [only] if !sources.releases.knows(&only.host) => format!(
            "the source repository of {image} is on {}, which is no known git host; name it under \
             [forges]",
            only.host
        ),
        homes => {
            let homes: Vec<String> = homes.iter().map(Home::to_string).collect();
            format!("none of these repositories exists: {}", homes.join(", "))
        }
    });
    Ok(Way {
        without: Some(without),
        tried,
        ..Way::default()
    })
}

/// The repository that the image itself names.
async fn by_label(
    sources: Sources<'_>,
    image: &str,
    to: &str,
    tried: &mut Vec<String>,
) -> Result<Option<Home>, PortError> {
    let Some(images) = sources.images else {
        return Ok(None);
    };
    let label = match images.source(image, to).await {
        Ok(label) => label,
        // The label is a hint; a registry that keeps it to itself is no reason to wait for ever.
        Err(PortError {
            what,
            lasting: true,
            ..
        }) => {
            tried.push(format!("the image's label: {what}"));
            return Ok(None);
        }
        Err(passing) => return Err(passing),
    };
    let Some(label) = label else {
        tried.push("the image's label: it names no source".to_owned());
        return Ok(None);
    };
    let home = source::labelled(image, &label);
    if home.is_none() {
        let label: String = label.chars().take(200).collect();
        tried.push(format!(
            "the image's label: {label:?} is not the image's own; its base image may have left it"
        ));
    }
    Ok(home)
}

async fn along(
    releases: &dyn Releases,
    home: &Home,
    all: &[Release],
    wanted: &Wanted<'_>,
    mut tried: Vec<String>,
) -> Result<Way, PortError> {
    let Listed {
        mut notes,
        mut names,
    } = listed(all, wanted);
    let (from, to) = (wanted.from, wanted.to);
    tried.push(match notes.len() {
        0 if all.is_empty() => format!("{home}: no releases"),
        0 => format!("{home}: no release between {from} and {to}"),
        1 => format!("{home}: 1 release"),
        count => format!("{home}: {count} releases"),
    });
    if notes.is_empty() || notes.iter().any(says_little) {
        // What some releases leave out may be in a file; the trees of versions are for those that
        // leave everything out. Without a release there is no tag in between either, as far as is
        // known yet.
        let tags = if notes.iter().all(says_little) {
            releases.tags(home).await?
        } else {
            Vec::new()
        };
        match changelog::of_file(releases, home, wanted, &tags).await? {
            Some((file, found)) => {
                tried.push(match found.len() {
                    1 => format!("{file}: 1 section"),
                    count => format!("{file}: {count} sections"),
                });
                notes = merged(notes, found);
            }
            None => {
                tried.push("no changelog file says anything about it".to_owned());
                let found = if notes.is_empty() {
                    changelog::of_tags(releases, home, wanted, &tags).await?
                } else {
                    Vec::new()
                };
                if !found.is_empty() {
                    tried.push(match found.len() {
                        1 => "the annotation of 1 tag".to_owned(),
                        count => format!("the annotations of {count} tags"),
                    });
                    notes = found;
                }
            }
        }
        names.extend(notes.iter().map(|note| note.version.clone()));
        names.extend(tags.into_iter().map(|tag| tag.name));
    }
    let tags = spelled(names.iter().map(String::as_str), wanted);
    let is_target = |name: &String| {
        let release = ReleaseName::parse(name);
        release.is_some_and(|release| version::respelled(&release.version, from) == to)
    };
    let released = names.iter().any(is_target);
    let headless = is_headless(&notes, to);
    let without = notes
        .is_empty()
        .then(|| format!("{home} says nothing about the way from {from} to {to}"));
    Ok(Way {
        source_url: home.url(),
        notes,
        tags,
        released,
        headless,
        without,
        tried,
        ..Way::default()
    })
}

/// Whether there are notes, and none of the target.
#[must_use]
pub fn is_headless(notes: &[Note], to: &str) -> bool {
    !notes.is_empty() && !notes.iter().any(|note| is_of(note, to))
}

/// Whether a note is a version's own; a tag of a line, such as `1.2`, has those of its members, and
/// the notes of `1.2` are those of `1.2.0`.
fn is_of(note: &Note, tag: &str) -> bool {
    ReleaseName::parse(&note.version).is_some_and(|release| {
        let version = release.version.as_str();
        release.says(tag) || version::is_of_line(version, tag) || version::is_first_of(tag, version)
    })
}

/// The tags in between that notes speak of, in the site's own style.
#[must_use]
pub fn tags_of(notes: &[Note], wanted: &Wanted<'_>) -> Vec<String> {
    spelled(notes.iter().map(|note| note.version.as_str()), wanted)
}

fn spelled<'a>(names: impl Iterator<Item = &'a str>, wanted: &Wanted<'_>) -> Vec<String> {
    let (from, to) = (Tag::parse(wanted.from), Tag::parse(wanted.to));
    let spelled = names
        .filter_map(ReleaseName::parse)
        .map(|release| version::respelled(&release.version, wanted.from));
    let between = version::between(&from, &to, spelled).into_iter();
    // No image's tag holds a plus sign.
    between
        .filter(|tag| tag != wanted.to && !tag.contains('+'))
        .collect()
}

/// What the releases on the way say, and how they are called.
struct Listed {
    notes: Vec<Note>,
    names: Vec<String>,
}

fn listed(all: &[Release], wanted: &Wanted<'_>) -> Listed {
    let from = Tag::parse(wanted.from);
    let named: Vec<(ReleaseName, &Release)> = all
        .iter()
        .filter_map(|release| Some((ReleaseName::parse(&release.tag)?, release)))
        .collect();
    let names: Vec<ReleaseName> = named.iter().map(|(name, _)| name.clone()).collect();
    let package = package_for(wanted.image, wanted.to, &names);
    let ours: Vec<&(ReleaseName, &Release)> = named
        .iter()
        .filter(|(name, _)| name.package == package)
        .collect();
    let early = |(name, release): &(ReleaseName, &Release)| {
        release.prerelease || Tag::parse(&name.version).is_prerelease()
    };
    let counts = |one: &&&(ReleaseName, &Release)| {
        let (name, _) = **one;
        from.is_prerelease()
            || !early(one)
            || version::same_version(&name.version, wanted.to)
            || ours.iter().any(|(_, later)| leads_to(later, name))
    };
    let counted: Vec<&&(ReleaseName, &Release)> = ours.iter().filter(counts).collect();
    let ours = counted.iter().copied().copied();
    let ours = ours.map(|(name, release)| (name.version.as_str(), release));
    let notes = changelog::on_the_way(wanted, ours)
        .into_iter()
        .map(|release| Note {
            version: release.tag.clone(),
            title: release.title.clone(),
            body: release.body.clone(),
            url: release.url.clone(),
        })
        .collect();
    Listed {
        notes,
        names: counted
            .iter()
            .filter(|one| from.is_prerelease() || !early(one))
            .map(|(name, _)| name.version.clone())
            .collect(),
    }
}

/// Whether a release says no more than that a prerelease said it all.
fn leads_to(release: &Release, earlier: &ReleaseName) -> bool {
    let bare = earlier.version.trim_start_matches(['v', 'V']);
    !release.prerelease
        && Tag::parse(bare).is_prerelease()
        && release.body.len() < LITTLE
        && release.body.contains(bare)
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

    /// The way with these releases, and nothing else in the repository.
    fn along_releases(all: &[Release], from: &str, to: &str) -> Way {
        let (image, home) = ("docker.io/o/r", Home::github("o/r"));
        let wanted = Wanted { image, from, to };
        let forge = Forge(Vec::new());
        let way = along(&forge, &home, all, &wanted, Vec::new());
        futures::executor::block_on(way).unwrap()
    }

    fn check(from: &str, to: &str, releases: &[&str], notes: &[&str], tags: &[&str]) {
        let all: Vec<Release> = releases.iter().map(|tag| release(tag)).collect();
        let way = along_releases(&all, from, to);
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
        let way = along_releases(&all, "1.0.0", "1.2.0");
        assert_eq!((way.notes.len(), way.tags.len()), (1, 0));
        assert_eq!(way.notes[0].version, "v1.2.0");
    }

    #[test]
    fn notes_without_the_targets_own_are_not_the_whole() {
        let all = [release("v1.1.0")];
        assert!(along_releases(&all, "1.0.0", "1.2.0").headless);
        assert!(!along_releases(&all, "1.0.0", "1.1.0").headless);
        assert!(
            !along_releases(&all, "1.0.0", "1.1").headless,
            "of its line"
        );
        assert!(!along_releases(&all, "1.0.0-r1", "1.1.0-r2").headless);
        let short = [release("v1.2")];
        assert!(!along_releases(&short, "1.0.0", "1.2.0").headless);
        assert!(along_releases(&short, "1.0.0", "1.2.1").headless);
        assert!(
            !along_releases(&[], "1.0.0", "1.2.0").headless,
            "there are none"
        );
    }

    /// Repositories by name; everything else is absent, and `down` is out of reach.
    struct Forge(Vec<(&'static str, Vec<&'static str>)>);

    #[async_trait::async_trait]
    impl Releases for Forge {
        async fn all(&self, home: &Home) -> Result<Option<Vec<Release>>, PortError> {
            if home.path.starts_with("down/") {
                return Err(PortError::new("out of reach"));
            }
            let found = self.0.iter().find(|(name, _)| *name == home.path);
            Ok(found.map(|(_, tags)| tags.iter().map(|tag| release(tag)).collect()))
        }
    }

    async fn ask(forge: &Forge, image: &str, entry: Option<&str>) -> Result<Way, PortError> {
        let entry = entry.and_then(Source::parse);
        let sources = Sources {
            releases: forge,
            images: None,
        };
        way(sources, image, entry.as_ref(), "1.0.0", "1.1.0").await
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
                "github.com/acme/thing says nothing about the way from 1.0.0 to 1.1.0",
            ),
            (
                "ghcr.io/acme/gone-app",
                None,
                "none of these repositories exists: github.com/acme/gone-app, github.com/acme/gone",
            ),
            (
                "host:5000/x/y",
                None,
                "no source repository is known for host:5000/x/y; name one under [sources]",
            ),
            (
                "docker.io/a/b",
                Some("git.example.org/a/b"),
                "the source repository of docker.io/a/b is on git.example.org, which is no known \
                 git host; name it under [forges]",
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
