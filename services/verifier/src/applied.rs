//! Whether the wanted version is live: what the workloads' templates say, and nothing else.

use std::borrow::Cow;
use std::collections::BTreeMap;

use job::Target;

use crate::health::pods;
use crate::image;
use crate::ports::{Unknown, Workload};

/// One target and what the cluster answered about it.
#[derive(Debug, Clone)]
pub(crate) struct Look<'a> {
    pub(crate) target: Cow<'a, Target>,
    pub(crate) workload: Result<Option<Workload>, Unknown>,
    /// It is, or is of, a Helm release.
    pub(crate) release: Option<Release>,
}

/// What a workload tells of its release.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Release {
    /// The chart and its version, `name-version`, where a label tells.
    pub(crate) chart: Option<String>,
}

impl<'a> Look<'a> {
    /// A look at a workload of the plan.
    pub(crate) fn at(target: &'a Target, workload: Result<Option<Workload>, Unknown>) -> Look<'a> {
        Look {
            target: Cow::Borrowed(target),
            workload,
            release: None,
        }
    }

    /// Whether a live image is the target's at this tag; of a release, at this app version.
    pub(crate) fn runs(&self, live: &str, tag: &str) -> bool {
        let image = &self.target.image;
        image::same(live, &format!("{image}:{tag}"))
            || self.release.is_some() && image::says_app(live, image, tag)
    }

    /// Why there is no workload, for people.
    pub(crate) fn missing(&self) -> String {
        let target = name(&self.target);
        if self.release.is_some() {
            format!("{target} has no workload that runs {}", self.target.image)
        } else {
            format!("{target} does not exist")
        }
    }
}

/// What is live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Live {
    /// The wanted version, in every target.
    Wanted {
        /// The live images by `target/container`.
        images: BTreeMap<String, String>,
        /// The rollouts are done and the pods ready.
        healthy: bool,
    },
    /// Something else, at least in part; the text says what.
    Other(String),
    /// It could not be asked.
    Unknown(String),
}

impl Live {
    /// In words for people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Live::Wanted { healthy: true, .. } => "the wanted version is live and healthy".into(),
            Live::Wanted { healthy: false, .. } => {
                "the wanted version is live and not healthy".into()
            }
            Live::Other(what) => format!("not live: {what}"),
            Live::Unknown(why) => why.clone(),
        }
    }
}

/// `namespace/kind/name`.
pub(crate) fn name(target: &Target) -> String {
    format!("{}/{}/{}", target.namespace, target.kind, target.name)
}

/// The containers and init containers that have to run the image, with what they run now.
pub(crate) fn containers<'a>(
    target: &'a Target,
    workload: &'a Workload,
) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
    let plain = target
        .containers
        .iter()
        .map(|name| (name, workload.images.get(name)));
    let init = target
        .init_containers
        .iter()
        .map(|name| (name, workload.init_images.get(name)));
    plain
        .chain(init)
        .map(|(name, image)| (name.as_str(), image.map(String::as_str)))
}

/// What has to be live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted<'a> {
    /// The image's tag, or of a chart the app version.
    pub(crate) tag: &'a str,
    /// The chart's version, where the images do not tell one from the other.
    pub(crate) chart: Option<&'a str>,
}

/// Judges what is live against what is wanted.
pub(crate) fn live(looks: &[Look<'_>], wanted: Wanted<'_>) -> Live {
    let tag = wanted.tag;
    let mut images = BTreeMap::new();
    let mut others = Vec::new();
    let mut healthy = true;
    for look in looks {
        let target = name(&look.target);
        let workload = match &look.workload {
            Ok(Some(workload)) => workload,
            Ok(None) => {
                others.push(look.missing());
                continue;
            }
            Err(Unknown(why)) => return Live::Unknown(format!("{target}: {why}")),
        };
        let named = format!("{}:{tag}", look.target.image);
        for (container, found) in containers(&look.target, workload) {
            match found {
                Some(found) if look.runs(found, tag) => {
                    images.insert(format!("{target}/{container}"), found.to_owned());
                }
                Some(found) => {
                    others.push(format!("{target}/{container} runs {found}, not {named}"));
                }
                None => others.push(format!("{target} has no container `{container}`")),
            }
        }
        healthy &= pods(workload, None, None).is_good();
    }
    if let Some(version) = wanted.chart {
        match chart(looks, version) {
            Some(Ok(())) => {}
            Some(Err(other)) => others.push(other),
            None => {
                return Live::Unknown(format!("no label tells whether chart {version} is live"));
            }
        }
    }
    if !others.is_empty() {
        Live::Other(others.join("; "))
    } else if images.is_empty() {
        Live::Unknown("the plan names no workload".to_owned())
    } else {
        Live::Wanted { images, healthy }
    }
}

/// Whether the labels of the workloads that run the image tell this chart version, or another one;
/// none if they do not tell any.
pub(crate) fn chart(looks: &[Look<'_>], version: &str) -> Option<Result<(), String>> {
    let version = version.strip_prefix('v').unwrap_or(version);
    // A `+` may not stand in a label.
    let version = version.replace('+', "_");
    let mut told = None;
    for look in looks {
        let watched = !look.target.containers.is_empty() || !look.target.init_containers.is_empty();
        let label = look.release.as_ref().and_then(|of| of.chart.as_deref());
        let Some(label) = label.filter(|_| watched) else {
            continue;
        };
        let same = ["-", "-v"].iter().any(|dash| {
            let name = label.strip_suffix(version.as_str());
            name.is_some_and(|name| name.ends_with(dash))
        });
        if !same {
            let target = name(&look.target);
            return Some(Err(format!("{target} is of chart {label}, not {version}")));
        }
        told = Some(Ok(()));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    const TWO: Wanted<'_> = Wanted {
        tag: "2",
        chart: None,
    };

    #[test]
    fn init_and_main_container_both_have_to_run_the_image() {
        let target = sample::target();
        let look = |main: &str, init: &str| {
            let mut workload = sample::workload(main);
            workload
                .init_images
                .insert("migrate".to_owned(), init.to_owned());
            live(&[Look::at(&target, Ok(Some(workload)))], TWO)
        };
        assert!(matches!(
            look("docker.io/acme/app:2", "acme/app:2"),
            Live::Wanted { healthy: true, images } if images.len() == 2
        ));
        assert_eq!(
            look("acme/app:2", "acme/app:1"),
            Live::Other("web/Deployment/app/migrate runs acme/app:1, not acme/app:2".to_owned())
        );
        assert!(matches!(look("acme/app:1", "acme/app:2"), Live::Other(_)));
    }

    #[test]
    fn an_unreachable_target_makes_all_unknown_and_a_missing_one_is_not_live() {
        let target = sample::target();
        let away = Look::at(&target, Err(Unknown("away".to_owned())));
        let gone = Look::at(&target, Ok(None));
        assert!(matches!(live(&[gone.clone(), away], TWO), Live::Unknown(_)));
        assert!(matches!(live(&[gone], TWO), Live::Other(_)));
        assert!(matches!(live(&[], TWO), Live::Unknown(_)));
    }

    /// A workload of a release that runs the app, and one that does not.
    fn of_release(image: &str, chart: Option<&str>) -> [Look<'static>; 2] {
        let target = Target {
            init_containers: Vec::new(),
            ..sample::target()
        };
        let other = Target {
            name: "cache".to_owned(),
            containers: Vec::new(),
            ..target.clone()
        };
        let look = |target: Target, image: &str, chart: Option<&str>| Look {
            target: Cow::Owned(target),
            workload: Ok(Some(sample::workload(image))),
            release: Some(Release {
                chart: chart.map(str::to_owned),
            }),
        };
        [
            look(target, image, chart),
            look(other, "redis:7", Some("redis-9.9.9")),
        ]
    }

    #[test]
    fn of_a_release_only_what_runs_the_app_has_to_be_at_its_version() {
        let images = |looks: &[Look<'_>]| match live(looks, TWO) {
            Live::Wanted { images, .. } => images.into_values().collect(),
            other => vec![format!("{other:?}")],
        };
        let found = images(&of_release("acme/app:v2-alpine", None));
        assert_eq!(found, ["acme/app:v2-alpine"]);
        let old = live(&of_release("acme/app:1", None), TWO);
        assert!(matches!(old, Live::Other(_)), "{old:?}");
    }

    #[test]
    fn what_is_not_ready_elsewhere_in_a_release_makes_it_unhealthy() {
        let mut looks = of_release("acme/app:2", None);
        if let Ok(Some(cache)) = &mut looks[1].workload {
            cache.pods[0].ready = false;
        }
        let found = live(&looks, TWO);
        assert!(
            matches!(found, Live::Wanted { healthy: false, .. }),
            "{found:?}"
        );
    }

    #[test]
    fn where_the_app_stays_a_label_tells_the_charts_version() {
        let wanted = Wanted {
            chart: Some("v1.2.0+build"),
            ..TWO
        };
        for (label, expected) in [
            (Some("app-1.2.0_build"), "Wanted"),
            (Some("app-v1.2.0_build"), "Wanted"),
            (Some("app-1.1.0"), "Other"),
            (Some("app-11.2.0_build"), "Other"),
            (None, "Unknown"),
        ] {
            let found = live(&of_release("acme/app:2", label), wanted);
            let told = format!("{found:?}");
            assert!(told.starts_with(expected), "{label:?}: {told}");
        }
    }
}
