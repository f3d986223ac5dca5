//! How everything is before the push, and whether it is well enough to start.

use std::collections::BTreeMap;

use job::{Baseline, Body, Target, TargetBaseline, Transience};

use crate::applied::{self, Look, Wanted, containers, name};
use crate::health::answers;
use crate::ports::{Answer, Rollout, Unknown, Workload};

/// Judges every target; `Err` if one of them cannot be known now. `at` is the version that is live,
/// and `wanted` what that makes of the cluster.
pub(crate) fn decide(
    at: &str,
    wanted: Wanted<'_>,
    looks: &[Look<'_>],
    http: &BTreeMap<String, Answer>,
    allow_unhealthy: bool,
) -> Result<Body, Unknown> {
    let aborted = |why, transience| {
        Ok(Body::Aborted {
            at: at.to_owned(),
            why,
            transience,
        })
    };
    let lasting = |why| aborted(why, Transience::Lasting);
    if looks.is_empty() {
        return lasting("the plan names no workload, so nothing could be verified".to_owned());
    }
    let mut baseline = Baseline::default();
    let mut unhealthy = Vec::new();
    let mut drifted = Vec::new();
    for look in looks {
        let target = name(&look.target);
        let Some(workload) = look.workload.as_ref().map_err(Clone::clone)? else {
            return lasting(format!("{} in the cluster", look.missing()));
        };
        let mut images = BTreeMap::new();
        for (container, image) in containers(&look.target, workload) {
            let Some(image) = image else {
                return lasting(format!("{target} has no container `{container}`"));
            };
            if !look.runs(image, wanted.tag) {
                drifted.push(format!(
                    "{target}/{container} runs {image}, but the repository says {}",
                    wanted.tag
                ));
            }
            images.insert(container.to_owned(), image.to_owned());
        }
        let answered = http;
        let http: BTreeMap<String, u32> = look
            .target
            .http
            .iter()
            .map(|address| (address.clone(), status(http, address)))
            .collect();
        if let Some(why) = ill(workload, &look.target, answered) {
            unhealthy.push(format!("{target}: {why}"));
        }
        baseline.targets.push(TargetBaseline {
            target,
            images,
            generation: workload.generation,
            restarts: workload
                .pods
                .iter()
                .map(|pod| (pod.uid.clone(), pod.restarts))
                .collect(),
            replicas: workload.replicas,
            http,
        });
    }
    if let Some(version) = wanted.chart {
        match applied::chart(looks, version) {
            Some(Ok(())) => {}
            Some(Err(other)) => drifted.push(other),
            None => {
                return lasting(
                    "the chart's next version brings the same app version, and no label \
                     helm.sh/chart tells which one is live; upgrade it by hand"
                        .to_owned(),
                );
            }
        }
    }
    if !drifted.is_empty() {
        // An undo would go to a version that never ran, and a report would claim that it is live.
        return Ok(Body::Aborted {
            at: String::new(),
            why: format!("not what runs: {}", drifted.join("; ")),
            transience: Transience::Transient,
        });
    }
    if unhealthy.is_empty() || allow_unhealthy {
        return Ok(Body::Baselined(baseline));
    }
    aborted(
        format!("unhealthy before: {}", unhealthy.join("; ")),
        Transience::Transient,
    )
}

fn status(http: &BTreeMap<String, Answer>, address: &str) -> u32 {
    http.get(address).map_or(0, |answer| answer.status)
}

/// What is wrong already; a workload that is scaled to nothing has nothing to be wrong.
fn ill(workload: &Workload, target: &Target, http: &BTreeMap<String, Answer>) -> Option<String> {
    if let Rollout::Moving(why) | Rollout::GaveUp(why) = &workload.rollout {
        return Some(why.clone());
    }
    if workload.replicas == 0 {
        return None;
    }
    if let Some(pod) = workload.pods.iter().find(|pod| pod.newest && !pod.ready) {
        let trouble = pod.troubles.first();
        let why = trouble.map_or("it is not ready", |trouble| trouble.text.as_str());
        return Some(format!("pod {}: {why}", pod.name));
    }
    let mut addresses = target.http.iter();
    let address = addresses.find(|address| !answers(status(http, address)))?;
    let answer = http.get(address).cloned().unwrap_or_default();
    Some(format!("HTTP {address}: {answer}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    const ONE: Wanted<'_> = Wanted {
        tag: "1",
        chart: None,
    };

    fn judge(change: impl FnOnce(&mut Workload), status: u32, allow: bool) -> Body {
        let mut target = sample::target();
        target.http = vec!["http://app".to_owned()];
        let mut workload = sample::workload("acme/app:1");
        change(&mut workload);
        let answer = Answer {
            status,
            why: String::new(),
        };
        let http = [("http://app".to_owned(), answer)].into();
        let looks = [Look::at(&target, Ok(Some(workload)))];
        decide("1", ONE, &looks, &http, allow).unwrap()
    }

    fn why(body: Body) -> (String, Transience) {
        match body {
            Body::Aborted {
                why, transience, ..
            } => (why, transience),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_healthy_service_is_recorded() {
        let Body::Baselined(baseline) = judge(|_| (), 200, false) else {
            panic!("aborted")
        };
        let expected = TargetBaseline {
            target: "web/Deployment/app".to_owned(),
            images: [
                ("app".to_owned(), "acme/app:1".to_owned()),
                ("migrate".to_owned(), "acme/app:1".to_owned()),
            ]
            .into(),
            generation: 1,
            restarts: [("uid-1".to_owned(), 0)].into(),
            replicas: 1,
            http: [("http://app".to_owned(), 200)].into(),
        };
        assert_eq!(baseline.targets, [expected]);
    }

    #[test]
    fn a_service_that_runs_another_version_than_the_repository_says_is_not_touched() {
        let target = sample::target();
        let looks = [Look::at(
            &target,
            Ok(Some(sample::workload("acme/app:0.9"))),
        )];
        let body = decide("1", ONE, &looks, &BTreeMap::new(), true).unwrap();
        let Body::Aborted { at, why, .. } = body else {
            panic!("{body:?}")
        };
        assert_eq!(at, "");
        assert!(
            why.contains("acme/app:0.9, but the repository says 1"),
            "{why}"
        );
    }

    #[test]
    fn an_unhealthy_service_is_not_touched_unless_the_policy_says_so() {
        type Change = fn(&mut Workload);
        let cases: [(Change, u32, &str); 4] = [
            (
                |w| w.rollout = Rollout::Moving("0 of 1".to_owned()),
                200,
                "0 of 1",
            ),
            (
                |w| w.pods[0].ready = false,
                200,
                "pod app-1: it is not ready",
            ),
            (|_| (), 503, "HTTP http://app: 503"),
            (|_| (), 0, "HTTP http://app: no answer"),
        ];
        for (change, status, text) in cases {
            let expected = format!("unhealthy before: web/Deployment/app: {text}");
            assert_eq!(
                why(judge(change, status, false)),
                (expected, Transience::Transient)
            );
            assert!(
                matches!(judge(change, status, true), Body::Baselined(_)),
                "{text}"
            );
        }
        assert!(matches!(
            judge(|w| w.replicas = 0, 503, false),
            Body::Baselined(_)
        ));
    }

    #[test]
    fn what_could_not_be_verified_is_not_started_and_unknown_is_no_answer() {
        let target = sample::target();
        let decide = |workload| {
            let looks = [Look::at(&target, workload)];
            decide("1", ONE, &looks, &BTreeMap::new(), true)
        };
        let (text, lasting) = why(decide(Ok(None)).unwrap());
        assert_eq!(text, "web/Deployment/app does not exist in the cluster");
        assert_eq!(lasting, Transience::Lasting);
        let mut other = sample::workload("acme/app:1");
        other.images.clear();
        let (text, _) = why(decide(Ok(Some(other))).unwrap());
        assert_eq!(text, "web/Deployment/app has no container `app`");
        let away = Unknown("away".to_owned());
        assert_eq!(decide(Err(away.clone())), Err(away));
        assert!(matches!(
            super::decide("1", ONE, &[], &BTreeMap::new(), true),
            Ok(Body::Aborted {
                transience: Transience::Lasting,
                ..
            })
        ));
    }
}
