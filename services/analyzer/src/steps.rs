//! The versions that a risky upgrade goes through.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use regex::Regex;
use risk::Note;
use runtime::settings::Granularity;
use version::{Style, Tag};

use crate::notes::Way;
use crate::planning::{self, Rules};
use crate::ports::{Images, PortError, Published};
use crate::sites::Sites;

/// So many tags are looked for at the same time.
const AT_ONCE: usize = 4;

/// The tags in between that are there as images, oldest first, and those that are not.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct There {
    /// They can be steps.
    pub tags: Vec<String>,
    /// The project released them, and no image of this kind was published.
    pub missing: Vec<String>,
}

/// What is known of the wanted tag before anything is planned for it.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    /// There is an image of it.
    Here,
    /// There is none, in a sentence for people.
    Absent(String),
    /// The registry lets nobody look, in a sentence for people.
    Unseen(String),
}

/// What a look at the wanted tag means: none is committed that does not exist.
///
/// # Errors
/// The registry is out of reach.
pub fn target(
    looked: Result<Published, PortError>,
    image: &str,
    to: &str,
) -> Result<Target, PortError> {
    match looked {
        Ok(Published::Here) => Ok(Target::Here),
        Ok(Published::Nothing) => Ok(Target::Absent(format!(
            "its registry has no image {image}:{to}"
        ))),
        Ok(Published::NotFor(platform)) => Ok(Target::Absent(format!(
            "{image}:{to} has no image for {platform} (kubernetes.platform)"
        ))),
        Err(PortError {
            what,
            lasting: true,
            ..
        }) => Ok(Target::Unseen(format!(
            "whether {image}:{to} exists cannot be seen: {what}"
        ))),
        Err(passing) => Err(passing),
    }
}

/// Leaves on the way only tags of which there is an image, if it goes step by step.
///
/// # Errors
/// The registry is out of reach, or lets nobody look.
pub async fn look_up(
    images: &dyn Images,
    rules: &Rules,
    image: &str,
    found: &Sites,
    to: &str,
    way: &mut Way,
) -> Result<(), PortError> {
    let service = rules.service(&found.service);
    let assessment = planning::assess(rules, &service, &found.from, to, way);
    if assessment.level != risk::Level::Caution && forced(&way.notes).is_empty() {
        return Ok(());
    }
    let spelled = way.released.then_some(way.tags.as_slice());
    let there = there(images, image, (&found.from, to), spelled).await;
    let there = there.map_err(|error| PortError {
        what: format!(
            "the upgrade goes step by step, and which of the tags in between exist cannot be seen: \
             {}",
            error.what
        ),
        ..error
    })?;
    way.tags = there.tags;
    way.missing = there.missing;
    Ok(())
}

/// Looks the tags in between up, so that none is committed that does not exist.
///
/// `released` are the project's releases in the site's own style. Where they are not known, and for a
/// tag with a flavour or a revision, which cannot be told from a release, the registry's own list is
/// read. Of several revisions of one version the newest counts.
///
/// # Errors
/// The registry is out of reach, or lets nobody look.
pub async fn there(
    images: &dyn Images,
    image: &str,
    (from, to): (&str, &str),
    released: Option<&[String]>,
) -> Result<There, PortError> {
    let from_tag = Tag::parse(from);
    let plain = match from_tag.style() {
        Style::Numeric {
            flavour, revisions, ..
        } => flavour.is_empty() && revisions.is_empty(),
        _ => false,
    };
    let candidates = match released {
        Some(released) if plain => released.to_vec(),
        _ => {
            let all = images.tags(image).await?.into_iter();
            version::between(&from_tag, &Tag::parse(to), all)
        }
    };
    let candidates = candidates.into_iter().filter(|tag| is_tag(tag));
    let asked = by_numbers(candidates, to).into_iter();
    let asked = asked.map(|revisions| newest_there(images, image, revisions));
    let found: Vec<(String, bool)> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
    let mut there = There::default();
    for (tag, here) in found {
        if here {
            there.tags.push(tag);
        } else {
            there.missing.push(tag);
        }
    }
    Ok(there)
}

/// The newest of several revisions of which there is an image, else the newest of all, and which of
/// the two it is.
async fn newest_there(
    images: &dyn Images,
    image: &str,
    revisions: Vec<String>,
) -> Result<(String, bool), PortError> {
    for tag in revisions.iter().rev() {
        if images.look(image, tag).await? == Published::Here {
            return Ok((tag.clone(), true));
        }
    }
    Ok((revisions.last().cloned().unwrap_or_default(), false))
}

/// Whether registries take it as a tag; releases may be called otherwise, such as `1.0.1+build.7`.
/// Source: the distribution specification of OCI.
fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(word) && text.len() <= 128 && text.chars().all(|c| word(c) || ".-".contains(c))
}

/// Whether the numbers of two tags are the same.
fn is_same(one: &str, other: &str) -> bool {
    version::compare_apps(one, other) == Some(Ordering::Equal)
}

/// The tags whose numbers are the same together; the target's numbers need no other one.
fn by_numbers(tags: impl Iterator<Item = String>, to: &str) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    for tag in tags.filter(|tag| tag != to && !is_same(tag, to)) {
        match groups.last_mut() {
            Some(group) if group.first().is_some_and(|first| is_same(first, &tag)) => {
                group.push(tag);
            }
            _ => groups.push(vec![tag]),
        }
    }
    groups
}

/// The tags that are steps, oldest first. Those of `raising` have notes that raised the level, and
/// those of `forced` are steps in any case. Lines are the app's, which a chart's version brings.
#[must_use]
pub fn thin(
    tags: &[String],
    to: &str,
    granularity: Granularity,
    raising: &BTreeSet<String>,
    forced: &BTreeSet<String>,
    app_of: impl Fn(&str) -> String,
) -> Vec<String> {
    let ends_line = |tag: &str, next: &str, numbers: usize| {
        let line = |tag: &str| Tag::parse(&app_of(tag)).line(numbers);
        line(tag) != line(next)
    };
    let mut kept = Vec::new();
    for (at, tag) in tags.iter().enumerate() {
        let next = tags.get(at + 1).map_or(to, String::as_str);
        let keep = match granularity {
            Granularity::Every => true,
            Granularity::Minor => ends_line(tag, next, 2),
            Granularity::Major => ends_line(tag, next, 1),
            Granularity::Breaking => raising.contains(tag),
        };
        if keep || forced.contains(tag) {
            kept.push(tag.clone());
        }
    }
    kept
}

/// Versions that notes tell to upgrade to first.
#[must_use]
pub fn forced(notes: &[Note]) -> BTreeSet<String> {
    static FIRST: LazyLock<Regex> = LazyLock::new(|| {
        let version = r"(?:version |release )?v?(\d+(?:\.\d+)+)";
        Regex::new(&format!(
            r"(?i)\b(?:upgrade|update|go|move|be on|be running|run|start)\b[^.;\n]{{0,40}}\bto {version}\b[^.;\n]{{0,40}}\b(?:first|before)\b|\bfirst (?:upgrade|update|go|move) to {version}\b|\b(?:must|need to|have to) (?:be|run) (?:on |at )?(?:at least )?{version}\b[^.;\n]{{0,30}}\b(?:first|before)\b|\bonly (?:possible )?from {version}\b|\b(?:upgrade|update)s? (?:is |are )?(?:only )?(?:supported|possible) (?:only )?from {version}\b"
        ))
        .expect("the pattern is a literal")
    });
    let mut found = BTreeSet::new();
    for note in notes {
        for captures in FIRST.captures_iter(&note.body) {
            let versions = captures.iter().skip(1).flatten();
            found.extend(versions.map(|version| version.as_str().to_owned()));
        }
    }
    found
}

/// The tags that bring the versions which notes tell to upgrade to first, and the versions that none
/// of them brings. `2.9` means the newest of that line. What is behind already, or the target's own
/// line, forces nothing.
#[must_use]
pub fn stops(way: &Way, from: &str, to: &str) -> (BTreeSet<String>, Vec<String>) {
    let (mut tags, mut absent) = (BTreeSet::new(), Vec::new());
    let chart = way.chart.as_ref();
    let from = chart.map_or(from, |chart| &chart.route.from_app);
    for version in forced(&way.notes) {
        let version = version.as_str();
        let behind = version::compare_apps(from, version) != Some(Ordering::Less)
            || version::is_of_line(from, version);
        if behind || version::is_of_line(way.app_of(to), version) {
            continue;
        }
        let mut newest = way.tags.iter().rev();
        match newest.find(|tag| version::is_of_line(way.app_of(tag), version)) {
            Some(tag) => {
                tags.insert(tag.clone());
            }
            None => absent.push(version.to_owned()),
        }
    }
    (tags, absent)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::chart::{Deploys, Route, Stop};

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn set(texts: &[&str]) -> BTreeSet<String> {
        strings(texts).into_iter().collect()
    }

    #[test]
    fn every_granularity_keeps_its_own() {
        let tags = strings(&[
            "1.1.0", "1.1.1", "1.2.0", "1.2.1", "2.0.0", "2.0.1", "2.1.0",
        ]);
        for (granularity, expected) in [
            (
                Granularity::Every,
                &[
                    "1.1.0", "1.1.1", "1.2.0", "1.2.1", "2.0.0", "2.0.1", "2.1.0",
                ][..],
            ),
            (Granularity::Minor, &["1.1.1", "1.2.1", "2.0.1"]),
            (Granularity::Major, &["1.2.1"]),
            (Granularity::Breaking, &["2.0.0"]),
        ] {
            let kept = thin(
                &tags,
                "2.1.1",
                granularity,
                &set(&["2.0.0"]),
                &set(&[]),
                str::to_owned,
            );
            assert_eq!(kept, expected, "{granularity:?}");
        }
        let (none, forced) = (set(&[]), set(&["1.1.0"]));
        assert_eq!(
            thin(
                &tags,
                "2.1.1",
                Granularity::Major,
                &none,
                &forced,
                str::to_owned
            ),
            ["1.1.0", "1.2.1"]
        );
        // A chart's patches may bring another major version each.
        let app_of = |tag: &str| tag.replacen("2.", "9.", 1);
        assert_eq!(
            thin(&tags, "2.1.1", Granularity::Major, &none, &none, app_of),
            ["1.2.1"]
        );
        assert_eq!(
            thin(
                &[],
                "2.1.1",
                Granularity::Every,
                &none,
                &forced,
                str::to_owned
            ),
            [""; 0]
        );
    }

    #[test]
    fn notes_may_want_another_version_first() {
        let check = |body: &str, expected: &[&str]| {
            let note = Note {
                version: "3.0.0".to_owned(),
                title: None,
                body: body.to_owned(),
                url: String::new(),
            };
            assert_eq!(forced(&[note]), set(expected), "{body}");
        };
        check(
            "Please upgrade to 2.5.3 first, then to this one.",
            &["2.5.3"],
        );
        check("First update to v2.9.", &["2.9"]);
        check(
            "You must be on version 2.8.1 before you upgrade.",
            &["2.8.1"],
        );
        check("Upgrades are only supported from 2.10.", &["2.10"]);
        check("Update to 2.5 of the client when you like.", &[]);
        check("Fixed in 2.5.", &[]);
    }

    #[test]
    fn a_version_that_comes_first_is_the_newest_of_its_line_and_not_behind() {
        let check = |from: &str, to: &str, body: &str, tags: &[&str], absent: &[&str]| {
            let note = Note {
                version: "2.10.1".to_owned(),
                title: None,
                body: body.to_owned(),
                url: String::new(),
            };
            let way = Way {
                notes: vec![note],
                tags: strings(&["2.8.4", "2.9.0", "2.9.2", "2.10.0"]),
                ..Way::default()
            };
            let expected = (set(tags), strings(absent));
            assert_eq!(stops(&way, from, to), expected, "{from}, {body}");
        };
        let body = "You must upgrade to 2.9 first.";
        check("2.8.0", "2.10.1", body, &["2.9.2"], &[]);
        check("2.9.0", "2.10.1", body, &[], &[]);
        check("2.8.0", "2.9.3", body, &[], &[]);
        let body = "Upgrade to 2.9.0 first.";
        check("2.8.0", "2.10.1", body, &["2.9.0"], &[]);
        let body = "Upgrade to 2.9.7 first.";
        check("2.8.0", "2.10.1", body, &[], &["2.9.7"]);
    }

    #[test]
    fn what_comes_first_is_an_app_version_also_where_a_chart_brings_it() {
        let stop = |version: &str, app: &str| Stop {
            version: version.to_owned(),
            app: app.to_owned(),
        };
        let note = Note {
            version: "2026.2.0".to_owned(),
            title: None,
            body: "Please upgrade to 2025.10 first.".to_owned(),
            url: String::new(),
        };
        let way = Way {
            notes: vec![note],
            tags: strings(&["1.1.0", "1.2.0"]),
            chart: Some(Deploys {
                image: "docker.io/a/b".to_owned(),
                route: Route {
                    from_app: "2025.8.1".to_owned(),
                    between: vec![stop("1.1.0", "2025.10.3"), stop("1.2.0", "2025.12.0")],
                    to: stop("1.3.0", "2026.2.0"),
                },
            }),
            ..Way::default()
        };
        assert_eq!(stops(&way, "1.0.0", "1.3.0"), (set(&["1.1.0"]), vec![]));
    }

    /// A registry with these tags, and what was asked of it.
    struct Registry(Vec<String>, Mutex<Vec<String>>);

    #[async_trait]
    impl Images for Registry {
        async fn look(&self, _: &str, tag: &str) -> Result<Published, PortError> {
            self.1.lock().unwrap().push(tag.to_owned());
            Ok(if self.0.iter().any(|known| known == tag) {
                Published::Here
            } else {
                Published::Nothing
            })
        }

        async fn tags(&self, _: &str) -> Result<Vec<String>, PortError> {
            Ok(self.0.clone())
        }

        async fn source(&self, _: &str, _: &str) -> Result<Option<String>, PortError> {
            Ok(None)
        }
    }

    #[tokio::test]
    async fn a_tag_that_does_not_exist_is_no_step() {
        let registry = Registry(strings(&["1.1.0", "1.3.0"]), Mutex::default());
        let spelled = strings(&["1.1.0", "1.2.0", "1.2.1+build.7", "1.3.0"]);
        let way = ("1.0.0", "1.4.0");
        let found = there(&registry, "docker.io/a/b", way, Some(&spelled)).await;
        let none = there(&registry, "docker.io/a/b", way, Some(&[])).await;
        assert_eq!(none.unwrap(), There::default(), "nothing lies in between");
        let expected = There {
            tags: strings(&["1.1.0", "1.3.0"]),
            missing: strings(&["1.2.0"]),
        };
        assert_eq!(found.unwrap(), expected);
    }

    #[tokio::test]
    async fn where_no_release_is_known_the_registry_tells_what_lies_in_between() {
        let tags = [
            "16.1",
            "16.2",
            "16.10",
            "17.0",
            "17.1",
            "17",
            "17.0-alpine",
            "17.0.1",
            "18beta1",
            "18.0",
        ];
        let registry = Registry(strings(&tags), Mutex::default());
        let found = there(&registry, "docker.io/a/b", ("16.2", "17.1"), None).await;
        assert_eq!(found.unwrap().tags, ["16.10", "17.0"]);
        let asked = registry.1.lock().unwrap().clone();
        assert_eq!(asked, ["16.10", "17.0"], "each of them is looked at");
    }

    #[tokio::test]
    async fn revisions_and_flavours_are_read_from_the_registry() {
        let tags = [
            "4.6.3-r1",
            "4.7.0-r0",
            "4.7.0-r1",
            "4.7.0",
            "4.8.0-r0",
            "4.10.0-r0",
            "4.10.0-r1",
            "latest",
        ];
        let registry = Registry(strings(&tags), Mutex::default());
        let found = there(&registry, "docker.io/a/b", ("4.6.3-r1", "4.10.0-r1"), None).await;
        assert_eq!(found.unwrap().tags, ["4.7.0-r1", "4.8.0-r0"]);
        let flavoured = Registry(
            strings(&[
                "31.0.6-apache",
                "31.0.7-apache",
                "31.0.7",
                "31.0.8-fpm",
                "31.0.8-apache",
            ]),
            Mutex::default(),
        );
        let way = ("31.0.6-apache", "31.0.8-apache");
        let found = there(&flavoured, "docker.io/a/b", way, None).await.unwrap();
        assert_eq!(found.tags, ["31.0.7-apache"]);
    }
}
