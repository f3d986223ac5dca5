//! Whether a workload is healthy: its rollout, its newest pods and its HTTP answers.

use std::collections::BTreeMap;

use job::{Target, TargetBaseline};

use crate::ports::{Ailment, Answer, Pod, Rollout, Workload};

/// So many new restarts of one pod are no start-up trouble any more.
const RESTARTS_TOO_MANY: u32 = 3;
/// A crash loop counts from so many new restarts on.
const RESTARTS_OF_A_LOOP: u32 = 2;

/// What one look says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    /// Everything passes.
    Good,
    /// On its way; the text says what is missing.
    Moving(String),
    /// A monitor says so, and its next beat may take it back.
    Down {
        /// What was seen.
        why: String,
        /// Since when it is seen, in milliseconds since the Unix epoch.
        since_ms: i64,
        /// After so long, in milliseconds, a beat that takes it back would have come.
        patience_ms: i64,
    },
    /// Something is wrong.
    Bad {
        /// What was seen.
        why: String,
        /// Waiting cannot mend it.
        definite: bool,
    },
}

impl Health {
    pub(crate) fn is_good(&self) -> bool {
        *self == Health::Good
    }

    fn rank(&self) -> u8 {
        match self {
            Health::Good => 0,
            Health::Moving(_) => 1,
            Health::Down { .. } => 2,
            Health::Bad {
                definite: false, ..
            } => 3,
            Health::Bad { definite: true, .. } => 4,
        }
    }

    /// When nothing can take it back any more.
    fn certain_ms(&self) -> i64 {
        match self {
            Health::Down {
                since_ms,
                patience_ms,
                ..
            } => since_ms.saturating_add(*patience_ms),
            Health::Good | Health::Moving(_) | Health::Bad { .. } => 0,
        }
    }

    /// The worse of both.
    pub(crate) fn and(self, other: Health) -> Health {
        let worse = other.rank() > self.rank()
            || (other.rank() == self.rank() && other.certain_ms() < self.certain_ms());
        if worse { other } else { self }
    }
}

/// The window that is open: when it began, and the restarts that were seen in it first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open<'a> {
    pub(crate) since_ms: i64,
    pub(crate) restarts: Option<&'a BTreeMap<String, u32>>,
}

/// Judges the rollout and the pods of the newest revision.
///
/// Restarts and memory kills that the baseline knows of count for nothing.
pub(crate) fn pods(
    workload: &Workload,
    baseline: Option<&TargetBaseline>,
    open: Option<Open<'_>>,
) -> Health {
    let rollout = match &workload.rollout {
        Rollout::Done => Health::Good,
        Rollout::Moving(why) => Health::Moving(why.clone()),
        Rollout::GaveUp(why) => Health::Bad {
            why: why.clone(),
            definite: true,
        },
    };
    if workload.replicas == 0 {
        return rollout;
    }
    let newest = workload.pods.iter().filter(|pod| pod.newest);
    let health = newest
        .clone()
        .fold(rollout, |health, pod| health.and(one(pod, baseline, open)));
    let missing = newest.count() == 0;
    health.and(if missing {
        Health::Moving("no pod runs it yet".to_owned())
    } else {
        Health::Good
    })
}

fn one(pod: &Pod, baseline: Option<&TargetBaseline>, open: Option<Open<'_>>) -> Health {
    let before = baseline
        .and_then(|baseline| baseline.restarts.get(&pod.uid))
        .copied();
    let restarts = pod.restarts.saturating_sub(before.unwrap_or(0));
    let old_news = before.is_some() && restarts == 0;
    let mut health = Health::Good;
    for trouble in &pod.troubles {
        let definite = match trouble.ailment {
            // It stays in `lastState` for as long as the pod lives.
            Ailment::OutOfMemory if old_news => continue,
            Ailment::OutOfMemory => true,
            Ailment::CrashLoop => restarts >= RESTARTS_OF_A_LOOP,
            Ailment::NotStarting => false,
        };
        let why = format!("pod {}: {}", pod.name, trouble.text);
        health = health.and(Health::Bad { why, definite });
    }
    if let Some(open) = open {
        let counted = open
            .restarts
            .and_then(|restarts| restarts.get(&pod.uid))
            .copied();
        let more = counted.is_some_and(|counted| pod.restarts > counted);
        let ended = pod.restarts > 0 && pod.last_end_ms.is_some_and(|end| end > open.since_ms);
        if more || ended {
            health = health.and(Health::Bad {
                why: format!("pod {} restarted within the window", pod.name),
                definite: restarts >= RESTARTS_TOO_MANY,
            });
        }
    }
    if !pod.ready {
        let why = format!("pod {} is not ready", pod.name);
        health = health.and(if restarts >= RESTARTS_TOO_MANY {
            Health::Bad {
                why: format!("{why} after {restarts} restarts"),
                definite: true,
            }
        } else {
            Health::Moving(why)
        });
    }
    health
}

/// How bad a status is: an answer, a locked door, a refusal, a broken server.
fn badness(status: u32) -> u8 {
    match status {
        200..=399 => 0,
        401 | 403 => 1,
        400..=499 => 2,
        _ => 3,
    }
}

/// Whether a status is as good as it has to be, given that of the baseline.
///
/// A service that asks for a login, or has nothing at its root, did so before as well.
fn passes(status: u32, before: Option<u32>) -> bool {
    badness(status) <= before.map_or(1, badness)
}

/// Whether the address answers well enough for an upgrade to start.
pub(crate) fn answers(status: u32) -> bool {
    badness(status) < 3
}

/// Judges the HTTP answers of one target.
pub(crate) fn http(
    target: &Target,
    answers: &BTreeMap<String, Answer>,
    baseline: Option<&TargetBaseline>,
) -> Health {
    target.http.iter().fold(Health::Good, |health, address| {
        let answer = answers.get(address).cloned().unwrap_or_default();
        let before = baseline
            .and_then(|baseline| baseline.http.get(address))
            .copied();
        if passes(answer.status, before) {
            return health;
        }
        let before = before.map_or(String::new(), |before| {
            let before = Answer {
                status: before,
                why: String::new(),
            };
            format!(" (before the upgrade: {before})")
        });
        let why = format!("HTTP {address}: {answer}{before}");
        health.and(Health::Bad {
            why,
            definite: false,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Trouble;
    use crate::sample;

    fn with_pod(change: impl FnOnce(&mut Pod)) -> Workload {
        let mut workload = sample::workload("acme/app:2");
        change(&mut workload.pods[0]);
        workload
    }

    fn ill(ailment: Ailment) -> Vec<Trouble> {
        vec![Trouble {
            ailment,
            text: format!("{ailment:?}"),
        }]
    }

    fn name(health: &Health) -> &'static str {
        match health {
            Health::Good => "good",
            Health::Moving(_) => "moving",
            Health::Down { .. } => "down",
            Health::Bad {
                definite: false, ..
            } => "bad",
            Health::Bad { definite: true, .. } => "definite",
        }
    }

    #[test]
    fn pods_are_judged_by_what_is_new() {
        let baseline = TargetBaseline {
            restarts: [("old".to_owned(), 7)].into(),
            ..TargetBaseline::default()
        };
        let old = |pod: &mut Pod| {
            pod.uid = "old".to_owned();
            pod.restarts = 7;
        };
        for (workload, expected, what) in [
            (with_pod(|_| ()), "good", "ready"),
            (with_pod(|pod| pod.ready = false), "moving", "not ready"),
            (
                with_pod(|pod| pod.newest = false),
                "moving",
                "only old pods",
            ),
            (
                with_pod(|pod| pod.troubles = ill(Ailment::CrashLoop)),
                "bad",
                "one crash",
            ),
            (
                with_pod(|pod| {
                    pod.troubles = ill(Ailment::CrashLoop);
                    pod.restarts = 2;
                }),
                "definite",
                "crash loop",
            ),
            (
                with_pod(|pod| pod.troubles = ill(Ailment::OutOfMemory)),
                "definite",
                "memory",
            ),
            (
                with_pod(|pod| {
                    old(pod);
                    pod.troubles = ill(Ailment::OutOfMemory);
                }),
                "good",
                "killed for memory long before",
            ),
            (
                with_pod(|pod| {
                    old(pod);
                    pod.troubles = ill(Ailment::OutOfMemory);
                    pod.restarts = 8;
                }),
                "definite",
                "killed for memory once more",
            ),
            (
                with_pod(|pod| pod.troubles = ill(Ailment::NotStarting)),
                "bad",
                "image",
            ),
            (
                with_pod(|pod| {
                    pod.ready = false;
                    pod.restarts = 3;
                }),
                "definite",
                "restarts for ever",
            ),
        ] {
            let health = pods(&workload, Some(&baseline), None);
            assert_eq!(name(&health), expected, "{what}: {health:?}");
        }
        let gone = Workload {
            pods: Vec::new(),
            ..sample::workload("acme/app:2")
        };
        assert_eq!(name(&pods(&gone, None, None)), "moving");
        assert_eq!(
            name(&pods(
                &Workload {
                    replicas: 0,
                    ..gone
                },
                None,
                None
            )),
            "good"
        );
    }

    #[test]
    fn of_two_monitors_the_one_that_is_certain_first_counts() {
        let down = |since_ms, patience_ms| Health::Down {
            why: format!("{since_ms}"),
            since_ms,
            patience_ms,
        };
        let bad = Health::Bad {
            why: "503".to_owned(),
            definite: false,
        };
        for (one, other) in [
            (down(1, 10), down(0, 300)),
            (down(0, 300), down(1, 300)),
            (down(0, 300), Health::Moving("0 of 1".to_owned())),
            (bad, down(0, 1)),
        ] {
            assert_eq!(one.clone().and(other.clone()), one);
            assert_eq!(other.and(one.clone()), one);
        }
    }

    #[test]
    fn a_restart_within_the_window_counts_even_if_the_pod_is_ready_again() {
        let workload = with_pod(|pod| {
            pod.restarts = 1;
            pod.last_end_ms = Some(2_000);
        });
        let open = |since_ms| {
            Some(Open {
                since_ms,
                restarts: None,
            })
        };
        assert_eq!(name(&pods(&workload, None, open(1_000))), "bad");
        assert_eq!(name(&pods(&workload, None, open(3_000))), "good");
        let counted = |count| BTreeMap::from([("uid-1".to_owned(), count)]);
        let remembered = counted(0);
        let open = Some(Open {
            since_ms: 3_000,
            restarts: Some(&remembered),
        });
        assert_eq!(name(&pods(&workload, None, open)), "bad");
        let remembered = counted(1);
        let open = Some(Open {
            since_ms: 3_000,
            restarts: Some(&remembered),
        });
        assert_eq!(name(&pods(&workload, None, open)), "good");
    }

    #[test]
    fn an_http_answer_must_not_be_worse_than_before() {
        for (before, now, expected) in [
            (Some(200), 200, true),
            (Some(200), 302, true),
            (Some(401), 401, true),
            (Some(200), 401, false),
            (Some(404), 404, true),
            (Some(200), 404, false),
            (Some(200), 503, false),
            (Some(200), 0, false),
            (Some(503), 503, true),
            (None, 403, true),
            (None, 404, false),
            (None, 0, false),
        ] {
            assert_eq!(passes(now, before), expected, "{before:?} → {now}");
        }
    }
}
