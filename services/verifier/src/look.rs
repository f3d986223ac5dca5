//! One look at everything that is watched: its verdict, and the words for it.

use std::collections::BTreeMap;

use job::{Body, Plan, State, Target, TargetBaseline};

use crate::applied::{self, Look, Wanted, name};
use crate::health::{self, Health, Open};
use crate::ports::{Answer, Unknown};
use crate::watch::Window;

pub(crate) fn baseline_of<'a>(state: &'a State, target: &str) -> Option<&'a TargetBaseline> {
    state
        .baseline
        .as_ref()?
        .targets
        .iter()
        .find(|one| one.target == target)
}

/// All checks over all targets: the worst counts, and one that is unknown makes all unknown.
pub(crate) fn check(
    looks: &[Look<'_>],
    http: &BTreeMap<String, Answer>,
    state: &State,
    wanted: Wanted<'_>,
    open: Option<Open<'_>>,
) -> Result<Health, Unknown> {
    let mut worst = Health::Good;
    let mut silent = None;
    for look in looks {
        let target = name(&look.target);
        let bad = |why| Health::Bad {
            why,
            definite: false,
        };
        let Some(workload) = look.workload.as_ref().map_err(Clone::clone)? else {
            let gone = if look.release.is_some() {
                look.missing()
            } else {
                format!("{target} is gone")
            };
            worst = worst.and(bad(gone));
            continue;
        };
        for (container, found) in applied::containers(&look.target, workload) {
            let found = found.unwrap_or("nothing");
            if !look.runs(found, wanted.tag) {
                let named = format!("{}:{}", look.target.image, wanted.tag);
                let why = format!("{target}/{container} runs {found} again, not {named}");
                worst = worst.and(bad(why));
            }
        }
        let before = baseline_of(state, &target);
        let pods = match health::pods(workload, before, open) {
            Health::Moving(why) => Health::Moving(format!("{target}: {why}")),
            Health::Bad { why, definite } => Health::Bad {
                why: format!("{target}: {why}"),
                definite,
            },
            other @ (Health::Good | Health::Down { .. }) => other,
        };
        worst = worst.and(pods);
        if workload.replicas == 0 {
            continue;
        }
        match silent_ingress(&look.target, http, before) {
            Some(address) => silent = Some(address.to_owned()),
            None => worst = worst.and(health::http(&look.target, http, before)),
        }
    }
    if let Some(version) = wanted.chart
        && let Some(Err(other)) = applied::chart(looks, version)
    {
        worst = worst.and(Health::Bad {
            why: other,
            definite: false,
        });
    }
    match silent {
        Some(address) if worst == Health::Good => {
            let answer = http.get(&address).cloned().unwrap_or_default();
            Err(Unknown(format!("HTTP {address}: {answer}")))
        }
        _ => Ok(worst),
    }
}

/// An HTTPS address that answered before and is silent now. Behind an ingress a broken service
/// still answers, with 502 or 503: silence is about the way there, and no reason to undo anything.
fn silent_ingress<'a>(
    target: &'a Target,
    http: &BTreeMap<String, Answer>,
    before: Option<&TargetBaseline>,
) -> Option<&'a str> {
    target
        .http
        .iter()
        .filter(|address| address.starts_with("https://"))
        .filter(|address| http.get(*address).is_none_or(|answer| answer.status == 0))
        .find(|address| {
            before.is_some_and(|before| before.http.get(*address).is_some_and(|s| *s != 0))
        })
        .map(String::as_str)
}

pub(crate) fn passed(state: &State, plan: &Plan, report: String) -> Body {
    if state.phase.is_undo() {
        Body::RolledBack {
            to: state.undo_to().to_owned(),
            report,
        }
    } else if state.step < plan.step_count() {
        Body::Verified { report }
    } else {
        Body::Succeeded { report }
    }
}

/// What was seen in the last tick, in lines that a person reads.
pub(crate) fn report(
    state: &State,
    looks: &[Look<'_>],
    http: &BTreeMap<String, Answer>,
    monitors: &[String],
    window: &Window,
) -> String {
    let mut lines = Vec::new();
    lines.push(match &state.ci {
        Some(run) => format!("CI: pipeline #{} {} success", run.number, run.workflow),
        None => "CI: no run was followed; the live image was".to_owned(),
    });
    for look in looks {
        let Ok(Some(workload)) = &look.workload else {
            continue;
        };
        let newest: Vec<_> = workload.pods.iter().filter(|pod| pod.newest).collect();
        let ready = newest.iter().filter(|pod| pod.ready).count();
        let live = applied::containers(&look.target, workload).find_map(|(_, image)| image);
        let of_another = look.release.as_ref();
        let of_another = of_another.and_then(|_| workload.images.values().next());
        let of_another = of_another.map(String::as_str);
        let before = baseline_of(state, &name(&look.target));
        let restarts: u32 = newest
            .iter()
            .map(|pod| {
                let known = before
                    .and_then(|before| before.restarts.get(&pod.uid))
                    .copied();
                pod.restarts.saturating_sub(known.unwrap_or(0))
            })
            .sum();
        let restarts = match restarts {
            0 => "no restarts".to_owned(),
            some => format!("{some} restarts before the window"),
        };
        lines.push(format!(
            "{}: pods: {ready}/{} ready on {}, {restarts}",
            name(&look.target),
            workload.replicas,
            live.or(of_another).unwrap_or("nothing"),
        ));
    }
    if http.is_empty() {
        lines.push("HTTP: not configured".to_owned());
    }
    lines.extend(
        http.iter()
            .map(|(url, answer)| format!("HTTP: {url} {answer}")),
    );
    lines.extend(monitors.iter().cloned());
    lines.push(format!(
        "healthy for {} s of observed time",
        window.length_ms / 1000
    ));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn silent(address: &str, before: u32) -> bool {
        let mut target = sample::target();
        target.http = vec![address.to_owned()];
        let baseline = TargetBaseline {
            http: [(address.to_owned(), before)].into(),
            ..TargetBaseline::default()
        };
        silent_ingress(&target, &BTreeMap::new(), Some(&baseline)).is_some()
    }

    #[test]
    fn only_an_ingress_that_answered_before_may_fall_silent() {
        assert!(silent("https://app.example.org", 200));
        assert!(!silent("https://app.example.org", 0));
        assert!(!silent("http://app", 200));
    }
}
