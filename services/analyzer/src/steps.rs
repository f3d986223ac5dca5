//! The versions that a risky upgrade goes through.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use job::SkipReason;
use regex::Regex;
use risk::{Assessment, Note, Rule};
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

/// Looks the wanted tag up, so that none is committed that does not exist.
///
/// # Errors
/// The registry is out of reach.
pub async fn target(images: &dyn Images, image: &str, to: &str) -> Result<Target, PortError> {
    match images.look(image, to).await {
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
/// The registry is out of reach. The inner error is the reason why nothing is done: it lets nobody
/// look.
pub async fn look_up(
    images: &dyn Images,
    rules: &Rules,
    image: &str,
    found: &Sites,
    to: &str,
    way: &mut Way,
) -> Result<Result<(), SkipReason>, PortError> {
    let service = rules.service(&found.service);
    let assessment = planning::assess(rules, &service, &found.from, to, way);
    if assessment.level != risk::Level::Caution && forced(&way.notes).is_empty() {
        return Ok(Ok(()));
    }
    match there(images, image, (&found.from, to), &way.tags).await {
        Ok(there) => {
            way.tags = there.tags;
            way.missing = there.missing;
            Ok(Ok(()))
        }
        Err(PortError {
            what,
            lasting: true,
            ..
        }) => Ok(Err(SkipReason::Refused(format!(
            "the upgrade goes step by step, and which of the tags in between exist cannot be seen: \
             {what}"
        )))),
        Err(error) => Err(error),
    }
}

/// Looks the tags in between up, so that none is committed that does not exist.
///
/// `spelled` are the project's releases in the site's own style. The registry's list is read where
/// these say nothing: if there are none, or for a tag with a flavour or a revision, which cannot be
/// told from a release. Of several revisions of one version the newest counts.
///
/// # Errors
/// The registry is out of reach.
pub async fn there(
    images: &dyn Images,
    image: &str,
    (from, to): (&str, &str),
    spelled: &[String],
) -> Result<There, PortError> {
    let from_tag = Tag::parse(from);
    let plain = match from_tag.style() {
        Style::Numeric {
            flavour, revisions, ..
        } => flavour.is_empty() && revisions.is_empty(),
        _ => false,
    };
    let candidates = if plain && !spelled.is_empty() {
        spelled.to_vec()
    } else {
        let all = images.tags(image).await?.into_iter();
        let between = version::between(&from_tag, &Tag::parse(to), all);
        newest_revisions(between.into_iter().filter(|tag| tag != to), to)
    };
    let asked = candidates.into_iter().map(|tag| async move {
        let published = images.look(image, &tag).await?;
        Ok::<_, PortError>((tag, published == Published::Here))
    });
    let found: Vec<(String, bool)> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
    let mut sorted = There::default();
    for (tag, here) in found {
        if here {
            sorted.tags.push(tag);
        } else {
            sorted.missing.push(tag);
        }
    }
    Ok(sorted)
}

/// The last of the tags whose numbers are the same; the target's numbers need no other one.
fn newest_revisions(tags: impl Iterator<Item = String>, to: &str) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let same = |a: &str, b: &str| version::compare_apps(a, b) == Some(std::cmp::Ordering::Equal);
    for tag in tags.filter(|tag| !same(tag, to)) {
        match kept.last_mut() {
            Some(last) if same(last, &tag) => *last = tag,
            _ => kept.push(tag),
        }
    }
    kept
}

/// The tags that are steps, oldest first.
#[must_use]
pub fn thin(
    tags: &[String],
    to: &str,
    granularity: Granularity,
    raising: &[&str],
    forced: &[String],
) -> Vec<String> {
    let named = |tag: &str, version: &str| version::says_app(tag, version);
    let mut kept = Vec::new();
    for (at, tag) in tags.iter().enumerate() {
        let next = tags.get(at + 1).map_or(to, String::as_str);
        let keep = match granularity {
            Granularity::Every => true,
            Granularity::Minor => line(tag, 2) != line(next, 2),
            Granularity::Major => line(tag, 1) != line(next, 1),
            Granularity::Breaking => raising.iter().any(|version| named(tag, version)),
        };
        if keep || forced.iter().any(|version| named(tag, version)) {
            kept.push(tag.clone());
        }
    }
    kept
}

/// The first numbers of a tag.
fn line(tag: &str, count: usize) -> String {
    let digit = tag.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    let numbers = tag.get(digit..).unwrap_or_default();
    let parts = numbers.split(['.', '-', '+']).take(count);
    parts.collect::<Vec<_>>().join(".")
}

/// The versions whose notes raised the level.
#[must_use]
pub fn raising(assessment: &Assessment) -> Vec<&str> {
    match assessment.rule {
        Rule::Plain => {
            let findings = assessment.findings.iter();
            findings.map(|finding| finding.version.as_str()).collect()
        }
        Rule::Weighed => {
            let lines = assessment.announced.iter();
            let counting = lines.filter(|line| line.lowered.is_none());
            counting.map(|line| line.version.as_str()).collect()
        }
    }
}

/// Versions that notes tell to upgrade to first, with the versions whose notes say so.
#[must_use]
pub fn forced(notes: &[Note]) -> BTreeMap<String, String> {
    static FIRST: LazyLock<Regex> = LazyLock::new(|| {
        let version = r"(?:version |release )?v?(\d+(?:\.\d+)+)";
        Regex::new(&format!(
            r"(?i)\b(?:upgrade|update|go|move|be on|be running|run|start)\b[^.;\n]{{0,40}}\bto {version}\b[^.;\n]{{0,40}}\b(?:first|before)\b|\bfirst (?:upgrade|update|go|move) to {version}\b|\b(?:must|need to|have to) (?:be|run) (?:on |at )?(?:at least )?{version}\b[^.;\n]{{0,30}}\b(?:first|before)\b|\bonly (?:possible )?from {version}\b|\b(?:upgrade|update)s? (?:is |are )?(?:only )?(?:supported|possible) (?:only )?from {version}\b"
        ))
        .expect("the pattern is a literal")
    });
    let mut found = BTreeMap::new();
    for note in notes {
        for captures in FIRST.captures_iter(&note.body) {
            let versions = captures.iter().skip(1).flatten();
            for version in versions {
                found.insert(version.as_str().to_owned(), note.version.clone());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
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
            let kept = thin(&tags, "2.1.1", granularity, &["v2.0.0"], &[]);
            assert_eq!(kept, expected, "{granularity:?}");
        }
        let forced = strings(&["1.1.0"]);
        assert_eq!(
            thin(&tags, "2.1.1", Granularity::Major, &[], &forced),
            ["1.1.0", "1.2.1"]
        );
        assert_eq!(
            thin(&[], "2.1.1", Granularity::Every, &[], &forced),
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
            let found: Vec<String> = forced(&[note]).into_keys().collect();
            assert_eq!(found, expected, "{body}");
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
        let spelled = strings(&["1.1.0", "1.2.0", "1.3.0"]);
        let found = there(&registry, "docker.io/a/b", ("1.0.0", "1.4.0"), &spelled).await;
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
        let found = there(&registry, "docker.io/a/b", ("16.2", "17.1"), &[]).await;
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
        let found = there(&registry, "docker.io/a/b", ("4.6.3-r1", "4.10.0-r1"), &[]).await;
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
        let found = there(&flavoured, "docker.io/a/b", way, &[]).await.unwrap();
        assert_eq!(found.tags, ["31.0.7-apache"]);
    }
}
