//! Whether the wanted version is live: what the workloads' templates say, and nothing else.

use std::collections::BTreeMap;

use job::Target;

use crate::health::pods;
use crate::image;
use crate::ports::{Unknown, Workload};

/// One target and what the cluster answered about it.
#[derive(Debug, Clone)]
pub(crate) struct Look<'a> {
    pub(crate) target: &'a Target,
    pub(crate) workload: Result<Option<Workload>, Unknown>,
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

/// Judges what is live against the wanted tag.
pub(crate) fn live(looks: &[Look<'_>], tag: &str) -> Live {
    let mut images = BTreeMap::new();
    let mut others = Vec::new();
    let mut healthy = true;
    for look in looks {
        let target = name(look.target);
        let workload = match &look.workload {
            Ok(Some(workload)) => workload,
            Ok(None) => {
                others.push(format!("{target} does not exist"));
                continue;
            }
            Err(Unknown(why)) => return Live::Unknown(format!("{target}: {why}")),
        };
        let wanted = format!("{}:{tag}", look.target.image);
        for (container, found) in containers(look.target, workload) {
            match found {
                Some(found) if image::same(found, &wanted) => {
                    images.insert(format!("{target}/{container}"), found.to_owned());
                }
                Some(found) => {
                    others.push(format!("{target}/{container} runs {found}, not {wanted}"));
                }
                None => others.push(format!("{target} has no container `{container}`")),
            }
        }
        healthy &= pods(workload, None, None).is_good();
    }
    if !others.is_empty() {
        Live::Other(others.join("; "))
    } else if images.is_empty() {
        Live::Unknown("the plan names no workload".to_owned())
    } else {
        Live::Wanted { images, healthy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn init_and_main_container_both_have_to_run_the_image() {
        let target = sample::target();
        let look = |main: &str, init: &str| {
            let mut workload = sample::workload(main);
            workload
                .init_images
                .insert("migrate".to_owned(), init.to_owned());
            live(
                &[Look {
                    target: &target,
                    workload: Ok(Some(workload)),
                }],
                "2",
            )
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
        let away = Look {
            target: &target,
            workload: Err(Unknown("away".to_owned())),
        };
        let gone = Look {
            target: &target,
            workload: Ok(None),
        };
        assert!(matches!(live(&[gone.clone(), away], "2"), Live::Unknown(_)));
        assert!(matches!(live(&[gone], "2"), Live::Other(_)));
        assert!(matches!(live(&[], "2"), Live::Unknown(_)));
    }
}
