//! A Helm release as the workloads that it is made of. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use job::Target;

use crate::applied::{Look, Release};
use crate::image;
use crate::ports::{Member, Unknown};

/// One look at each workload: those that run the release's image have to run the wanted version of
/// it, and all have to be well.
pub(crate) fn looks(target: &Target, members: Result<Vec<Member>, Unknown>) -> Vec<Look<'_>> {
    let nothing = |workload| {
        vec![Look {
            target: Cow::Borrowed(target),
            workload,
            release: Some(Release::default()),
        }]
    };
    let members = match members {
        Ok(members) => members,
        Err(unknown) => return nothing(Err(unknown)),
    };
    let repository = version::normalise(&target.image);
    let running = |images: &BTreeMap<String, String>| {
        let same = images
            .iter()
            .filter(|(_, live)| image::repository(live).as_ref() == Some(&repository));
        same.map(|(container, _)| container.clone())
            .collect::<Vec<String>>()
    };
    let mut looks = Vec::with_capacity(members.len());
    let mut http = target.http.clone();
    for member in members {
        let containers = running(&member.workload.images);
        let init_containers = running(&member.workload.init_images);
        let watched = !containers.is_empty() || !init_containers.is_empty();
        looks.push(Look {
            target: Cow::Owned(Target {
                kind: member.kind,
                namespace: target.namespace.clone(),
                name: member.name,
                match_labels: BTreeMap::new(),
                containers,
                init_containers,
                image: target.image.clone(),
                // The release answers under its addresses as a whole.
                http: if watched {
                    std::mem::take(&mut http)
                } else {
                    Vec::new()
                },
            }),
            workload: Ok(Some(member.workload)),
            release: Some(Release {
                chart: member.chart,
            }),
        });
    }
    let watched = |look: &Look<'_>| {
        !look.target.containers.is_empty() || !look.target.init_containers.is_empty()
    };
    if looks.iter().any(watched) {
        looks
    } else {
        nothing(Ok(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn release() -> Target {
        Target {
            kind: "HelmRelease".to_owned(),
            name: "release".to_owned(),
            containers: Vec::new(),
            init_containers: Vec::new(),
            http: vec!["http://app".to_owned()],
            ..sample::target()
        }
    }

    fn member(name: &str, image: &str) -> Member {
        Member {
            kind: "Deployment".to_owned(),
            name: name.to_owned(),
            chart: None,
            workload: sample::workload(image),
        }
    }

    #[test]
    fn every_workload_is_looked_at_and_the_app_is_found_by_its_image() {
        let target = release();
        let members = vec![
            member("cache", "redis:7"),
            member("server", "docker.io/acme/app:1"),
            member("worker", "acme/app:1"),
        ];
        let told: Vec<_> = looks(&target, Ok(members))
            .into_iter()
            .map(|look| look.target.into_owned())
            .map(|target| {
                (
                    target.name,
                    target.containers.len(),
                    target.init_containers.len(),
                    target.http.len(),
                )
            })
            .collect();
        let expected = [("cache", 0, 0, 0), ("server", 1, 1, 1), ("worker", 1, 1, 0)];
        let expected = expected.map(|(name, a, b, c)| (name.to_owned(), a, b, c));
        assert_eq!(told, expected);
    }

    #[test]
    fn a_release_without_the_app_is_missing_and_one_that_is_not_seen_is_unknown() {
        let target = release();
        for members in [Vec::new(), vec![member("cache", "redis:7")]] {
            let found = looks(&target, Ok(members));
            assert!(matches!(
                found.as_slice(),
                [Look {
                    workload: Ok(None),
                    ..
                }]
            ));
            assert_eq!(
                found[0].missing(),
                "web/HelmRelease/release has no workload that runs acme/app"
            );
        }
        let away = looks(&target, Err(Unknown("away".to_owned())));
        assert!(matches!(
            away.as_slice(),
            [Look {
                workload: Err(_),
                ..
            }]
        ));
    }
}
