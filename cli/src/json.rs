//! What `--output json` prints. docs/json.md describes it for whoever writes programs.
//!
//! **Invariant:** names and meanings stay; fields are only added.

use serde::Serialize;
use wire::v1::{FactView, Intake, LimitsView, PauseView, UpgradeView, WatchEvent};

use crate::output::rfc3339;
use crate::phase;

/// One upgrade.
#[derive(Debug, Serialize)]
pub(crate) struct Upgrade {
    id: String,
    service: Option<String>,
    image: String,
    from: Option<String>,
    to: String,
    live: Option<String>,
    phase: String,
    over: bool,
    owner: Option<String>,
    risk: Option<String>,
    step: u32,
    steps: u32,
    reason: Option<String>,
    waiting_for: Option<String>,
    trouble: Option<Trouble>,
    pending: Option<String>,
    started: Option<String>,
    since: Option<String>,
    requested_by: Option<String>,
    retry_of: Option<String>,
    archived: bool,
    split_into: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Vec<Fact>>,
}

/// Why an upgrade does not go on.
#[derive(Debug, Serialize)]
pub(crate) struct Trouble {
    why: String,
    again: Option<String>,
}

/// One fact of an upgrade.
#[derive(Debug, Serialize)]
pub(crate) struct Fact {
    n: u64,
    name: String,
    at: Option<String>,
    next: Option<String>,
    text: Option<String>,
}

/// A line of `watch`.
#[derive(Debug, Serialize)]
pub(crate) struct Event {
    cursor: u64,
    fact: Option<Fact>,
    upgrade: Option<Upgrade>,
}

/// What became of one webhook or request.
#[derive(Debug, Serialize)]
pub(crate) struct Why {
    at: Option<String>,
    image: Option<String>,
    status: Option<String>,
    decision: String,
    reason: Option<String>,
    id: Option<String>,
}

/// The answer to one request for an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Asked {
    /// The image, or the chart's name, as it was given.
    pub(crate) image: String,
    /// The wanted version.
    pub(crate) tag: String,
    /// In one word; `failed` if there was no answer.
    pub(crate) decision: String,
    /// Why.
    pub(crate) reason: Option<String>,
    /// The upgrade that answers it.
    pub(crate) id: Option<String>,
}

/// `upgrade`.
#[derive(Debug, Serialize)]
pub(crate) struct One {
    /// The answer.
    #[serde(flatten)]
    pub(crate) asked: Asked,
    /// With `--wait`: how it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) upgrade: Option<Upgrade>,
    /// With `--wait`, of one that was split: how its parts ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<Upgrade>,
}

/// `upgrade --from-file`.
#[derive(Debug, Serialize)]
pub(crate) struct Bulk {
    /// One for each line that was sent, in order.
    pub(crate) asked: Vec<Asked>,
    /// When they will have a place.
    pub(crate) estimate: Option<Estimate>,
}

/// When the last of several upgrades is let in.
#[derive(Debug, Serialize)]
pub(crate) struct Estimate {
    /// How many were let in at once.
    pub(crate) now: usize,
    /// How many wait.
    pub(crate) waiting: usize,
    /// When the last one has a place; absent if never, with these limits.
    pub(crate) last_admitted: Option<String>,
    /// Before this the last one does not end, if it is carried out; absent if that is not known.
    pub(crate) last_ends_not_before: Option<String>,
    /// The limits it was computed from.
    pub(crate) limits: Limits,
}

/// The answer to `approve`, `cancel`, `retry`, `rollback` and `resolve`.
#[derive(Debug, Serialize)]
pub(crate) struct Control {
    /// What happens now.
    pub(crate) message: String,
    /// The upgrade, or the new attempt.
    pub(crate) upgrade: Option<Upgrade>,
}

/// A pause that is in force.
#[derive(Debug, Serialize)]
pub(crate) struct Pause {
    scope: String,
    by: Option<String>,
    why: Option<String>,
    at: Option<String>,
}

/// The rate window.
#[derive(Debug, Serialize)]
pub(crate) struct Limits {
    max: u32,
    window_seconds: u64,
    overridden: bool,
    window_started: Option<String>,
    window_ends: Option<String>,
    admitted: Vec<String>,
    held: Vec<String>,
    shortest_seconds: Option<u64>,
}

/// `plan`.
#[derive(Debug, Serialize)]
pub(crate) struct Plan {
    /// The service.
    pub(crate) service: String,
    /// What is written now.
    pub(crate) from: String,
    /// The wanted version.
    pub(crate) to: String,
    /// What the chart's versions bring, if it is a chart and its repository was asked.
    pub(crate) app: Option<Apps>,
    /// Where the version is written.
    pub(crate) sites: Vec<Site>,
    /// Places that name it and stay as they are.
    pub(crate) left: Vec<Left>,
    /// What could not be read.
    pub(crate) notes: Vec<String>,
    /// How risky it is.
    pub(crate) risk: Risk,
    /// The versions on the way; absent if they are not known.
    pub(crate) steps: Option<Vec<String>>,
    /// For `git apply`.
    pub(crate) diff: String,
    /// Why the running Bowline would not do it by itself.
    pub(crate) refused: Option<String>,
}

/// `notes`.
#[derive(Debug, Serialize)]
pub(crate) struct Notes {
    /// The image without tag.
    pub(crate) image: String,
    /// The tag that runs.
    pub(crate) from: String,
    /// The wanted one.
    pub(crate) to: String,
    /// Where was looked, and what was there.
    pub(crate) tried: Vec<String>,
    /// The source repository; empty if none was found.
    pub(crate) source: String,
    /// The notes on the way, oldest first.
    pub(crate) notes: Vec<Note>,
    /// The rule that decides.
    pub(crate) rule: &'static str,
    /// The level by that rule.
    pub(crate) level: String,
    /// The level by the plain rule.
    pub(crate) plain: String,
    /// The level by the weighed rule.
    pub(crate) weighed: String,
    /// Why, and what was taken for harmless.
    pub(crate) reasons: Vec<String>,
    /// The listed words.
    pub(crate) findings: Vec<Finding>,
    /// The lines that announce something.
    pub(crate) announced: Vec<Announced>,
    /// The advisories that are named.
    pub(crate) security: Vec<String>,
    /// The versions to go through.
    pub(crate) steps: Vec<String>,
    /// Releases of which there is no image.
    pub(crate) missing: Vec<String>,
}

/// The notes of one release.
#[derive(Debug, Serialize)]
pub(crate) struct Note {
    /// The release.
    pub(crate) version: String,
    /// Its title.
    pub(crate) title: Option<String>,
    /// Where they are.
    pub(crate) url: String,
}

/// A line that announces something.
#[derive(Debug, Serialize)]
pub(crate) struct Announced {
    /// The release.
    pub(crate) version: String,
    /// What it announces.
    pub(crate) kind: &'static str,
    /// The line.
    pub(crate) quote: String,
    /// Where it is.
    pub(crate) url: String,
    /// Why it is taken for harmless, if it is.
    pub(crate) lowered: Option<&'static str>,
}

/// The app versions that come with a chart's versions.
#[derive(Debug, Serialize)]
pub(crate) struct Apps {
    /// With what is written now.
    pub(crate) from: String,
    /// With the wanted version.
    pub(crate) to: String,
}

/// `plan --adopt`.
#[derive(Debug, Serialize)]
pub(crate) struct Adoption {
    /// What is taken away.
    pub(crate) entries: Vec<IgnoredEntry>,
    /// For `git apply`.
    pub(crate) diff: String,
}

/// An entry of `ignore_changes`.
#[derive(Debug, Serialize)]
pub(crate) struct IgnoredEntry {
    /// The service.
    pub(crate) service: Option<String>,
    /// The file.
    pub(crate) path: String,
    /// As written.
    pub(crate) entry: String,
    /// Whether it covers more than the image.
    pub(crate) broad: bool,
}

/// `scan`.
#[derive(Debug, Serialize)]
pub(crate) struct Scan {
    /// Every image and chart that was asked for.
    pub(crate) references: Vec<Seen>,
    /// How many of all there are with each verdict.
    pub(crate) coverage: std::collections::BTreeMap<&'static str, usize>,
    /// What could not be read.
    pub(crate) problems: Vec<String>,
}

/// An image or chart that a checkout names.
#[derive(Debug, Serialize)]
pub(crate) struct Seen {
    /// The service that runs it.
    pub(crate) service: Option<String>,
    /// Whether it is a chart.
    pub(crate) chart: bool,
    /// The repository as written, or the chart's name.
    pub(crate) name: Option<String>,
    /// The tag or version.
    pub(crate) tag: Option<String>,
    /// Where it is named.
    pub(crate) path: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The reference by name.
    pub(crate) address: String,
    /// Where its tag is written.
    pub(crate) written_path: Option<String>,
    /// The line there.
    pub(crate) written_line: Option<usize>,
    /// What runs it.
    pub(crate) owner: Owner,
    /// What would become of it.
    pub(crate) verdict: &'static str,
    /// The expression or entry behind the verdict.
    pub(crate) why: Option<String>,
}

/// What runs an image or is made by a chart.
#[derive(Debug, Serialize)]
pub(crate) struct Owner {
    /// The kind of workload.
    pub(crate) kind: String,
    /// Its name.
    pub(crate) name: Option<String>,
    /// Its namespace.
    pub(crate) namespace: Option<String>,
    /// The container.
    pub(crate) container: Option<String>,
    /// Whether that is an init container.
    pub(crate) init: bool,
    /// How many pods.
    pub(crate) replicas: Option<u32>,
    /// Whether the container has a readiness probe.
    pub(crate) readiness_probe: Option<bool>,
    /// The container's memory limit.
    pub(crate) memory_limit: Option<String>,
    /// How pods are replaced.
    pub(crate) strategy: Option<String>,
    /// Under which hosts it answers.
    pub(crate) hosts: Vec<String>,
    /// Whether a Helm release undoes itself.
    pub(crate) atomic: Option<bool>,
    /// How long Helm waits.
    pub(crate) timeout_seconds: Option<u32>,
}

impl Owner {
    /// As the engine resolved it.
    pub(crate) fn new(owner: &terraform::Owner) -> Owner {
        Owner {
            kind: owner.kind.clone(),
            name: owner.name.clone(),
            namespace: owner.namespace.clone(),
            container: owner.container.clone(),
            init: owner.init,
            replicas: owner.replicas,
            readiness_probe: owner.readiness_probe,
            memory_limit: owner.memory_limit.clone(),
            strategy: owner.strategy.clone(),
            hosts: owner.ingress_hosts.clone(),
            atomic: owner.atomic,
            timeout_seconds: owner.timeout_seconds,
        }
    }
}

/// A place that names it and is left alone.
#[derive(Debug, Serialize)]
pub(crate) struct Left {
    /// The file.
    pub(crate) path: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The tag there.
    pub(crate) current: Option<String>,
    /// Why.
    pub(crate) reason: String,
}

/// One place that holds a version.
#[derive(Debug, Serialize)]
pub(crate) struct Site {
    /// The file.
    pub(crate) path: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The place by name.
    pub(crate) address: String,
    /// The images that move with it.
    pub(crate) images: Vec<String>,
    /// What runs them.
    pub(crate) owners: Vec<Owner>,
}

/// A judgement with its evidence.
#[derive(Debug, Serialize)]
pub(crate) struct Risk {
    /// `SAFE`, `CAUTION` or `UNKNOWN`.
    pub(crate) level: String,
    /// Why.
    pub(crate) reasons: Vec<String>,
    /// Words in release notes.
    pub(crate) findings: Vec<Finding>,
}

/// A word that was found in the notes of a version.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    /// The version.
    pub(crate) version: String,
    /// The word.
    pub(crate) word: String,
    /// The line it stands in.
    pub(crate) quote: String,
    /// Where people can read it.
    pub(crate) url: String,
}

/// The text, if there is one.
pub(crate) fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

impl Upgrade {
    /// Without its facts.
    pub(crate) fn brief(view: &UpgradeView) -> Upgrade {
        Upgrade {
            id: view.id.clone(),
            service: some(&view.service),
            image: view.image.clone(),
            from: some(&view.from),
            to: view.to.clone(),
            live: some(&view.live),
            phase: phase::name(&view.phase),
            over: phase::is_over(&view.phase),
            owner: some(&view.owner).filter(|owner| owner != "none"),
            risk: some(&view.risk),
            step: view.step,
            steps: view.steps,
            reason: some(&view.reason),
            waiting_for: some(&view.waiting_for),
            trouble: view.trouble.as_ref().map(|trouble| Trouble {
                why: trouble.why.clone(),
                again: rfc3339(trouble.again_ms),
            }),
            pending: some(&view.pending),
            started: rfc3339(view.started_ms),
            since: rfc3339(view.since_ms),
            requested_by: some(&view.requested_by),
            retry_of: some(&view.retry_of),
            archived: view.archived,
            split_into: view.split_into.clone(),
            facts: None,
        }
    }

    /// With its facts.
    pub(crate) fn full(view: &UpgradeView) -> Upgrade {
        Upgrade {
            facts: Some(view.facts.iter().map(Fact::new).collect()),
            ..Upgrade::brief(view)
        }
    }
}

impl Fact {
    fn new(view: &FactView) -> Fact {
        Fact {
            n: view.n,
            name: view.name.clone(),
            at: rfc3339(view.at_ms),
            next: some(&view.next).filter(|next| next != "none"),
            text: some(&view.text),
        }
    }
}

impl Event {
    /// One line.
    pub(crate) fn new(event: &WatchEvent) -> Event {
        Event {
            cursor: event.cursor,
            fact: event.fact.as_ref().map(Fact::new),
            upgrade: event.upgrade.as_ref().map(Upgrade::brief),
        }
    }
}

impl Why {
    /// One webhook or request.
    pub(crate) fn new(intake: &Intake) -> Why {
        Why {
            at: rfc3339(intake.at_ms),
            image: some(&intake.image),
            status: some(&intake.status),
            decision: intake.decision.clone(),
            reason: some(&intake.reason),
            id: some(&intake.id),
        }
    }
}

impl Pause {
    /// One pause.
    pub(crate) fn new(view: &PauseView) -> Pause {
        Pause {
            scope: view.scope.clone(),
            by: some(&view.by),
            why: some(&view.why),
            at: rfc3339(view.at_ms),
        }
    }
}

impl Limits {
    /// The window as it is.
    pub(crate) fn new(view: &LimitsView) -> Limits {
        Limits {
            max: view.max,
            window_seconds: view.window_seconds,
            overridden: view.overridden,
            window_started: rfc3339(view.window_started_ms),
            window_ends: crate::limits::ends_ms(view).and_then(rfc3339),
            admitted: view.admitted.clone(),
            held: view.held.clone(),
            shortest_seconds: view.shortest_seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::sample;

    /// Every key below a value.
    fn keys(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    found.insert(key.clone());
                    keys(value, found);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_field_is_described() {
        let page = include_str!("../../docs/json.md");
        let upgrade = UpgradeView {
            trouble: sample::limited().trouble,
            ..sample::watching()
        };
        let limits = || Limits::new(&LimitsView::default());
        let asked = || Asked {
            image: String::new(),
            tag: String::new(),
            decision: String::new(),
            reason: None,
            id: None,
        };
        let values = [
            serde_json::to_value(Upgrade::full(&upgrade)),
            serde_json::to_value(Event::new(&WatchEvent::default())),
            serde_json::to_value(Why::new(&Intake::default())),
            serde_json::to_value(One {
                asked: asked(),
                upgrade: Some(Upgrade::brief(&upgrade)),
                parts: vec![Upgrade::brief(&upgrade)],
            }),
            serde_json::to_value(Bulk {
                asked: vec![asked()],
                estimate: Some(Estimate {
                    now: 1,
                    waiting: 0,
                    last_admitted: None,
                    last_ends_not_before: None,
                    limits: limits(),
                }),
            }),
            serde_json::to_value(Control {
                message: String::new(),
                upgrade: None,
            }),
            serde_json::to_value(Pause::new(&PauseView::default())),
            serde_json::to_value(Adoption {
                entries: vec![IgnoredEntry {
                    service: None,
                    path: String::new(),
                    entry: String::new(),
                    broad: false,
                }],
                diff: String::new(),
            }),
            serde_json::to_value(Scan {
                references: vec![Seen {
                    service: None,
                    chart: false,
                    name: None,
                    tag: None,
                    path: String::new(),
                    line: 1,
                    address: String::new(),
                    written_path: None,
                    written_line: None,
                    owner: Owner::new(&terraform::Owner::default()),
                    verdict: "",
                    why: None,
                }],
                coverage: std::collections::BTreeMap::new(),
                problems: Vec::new(),
            }),
            serde_json::to_value(Notes {
                image: String::new(),
                from: String::new(),
                to: String::new(),
                tried: Vec::new(),
                source: String::new(),
                notes: vec![Note {
                    version: String::new(),
                    title: None,
                    url: String::new(),
                }],
                rule: "",
                level: String::new(),
                plain: String::new(),
                weighed: String::new(),
                reasons: Vec::new(),
                findings: Vec::new(),
                announced: vec![Announced {
                    version: String::new(),
                    kind: "",
                    quote: String::new(),
                    url: String::new(),
                    lowered: None,
                }],
                security: Vec::new(),
                steps: Vec::new(),
                missing: Vec::new(),
            }),
            serde_json::to_value(Plan {
                service: String::new(),
                from: String::new(),
                to: String::new(),
                app: Some(Apps {
                    from: String::new(),
                    to: String::new(),
                }),
                sites: vec![Site {
                    path: String::new(),
                    line: 1,
                    address: String::new(),
                    images: Vec::new(),
                    owners: vec![Owner::new(&terraform::Owner::default())],
                }],
                left: vec![Left {
                    path: String::new(),
                    line: 1,
                    current: None,
                    reason: String::new(),
                }],
                notes: Vec::new(),
                risk: Risk {
                    level: String::new(),
                    reasons: Vec::new(),
                    findings: vec![Finding {
                        version: String::new(),
                        word: String::new(),
                        quote: String::new(),
                        url: String::new(),
                    }],
                },
                steps: None,
                diff: String::new(),
                refused: None,
            }),
        ];
        let mut found = BTreeSet::new();
        let config = crate::config::check::Json::sample().map(serde_json::to_value);
        for value in values.into_iter().chain(config) {
            keys(&value.expect("JSON"), &mut found);
        }
        let missing: Vec<&String> = found
            .iter()
            .filter(|key| !page.contains(&format!("`{key}`")))
            .collect();
        assert!(
            missing.is_empty(),
            "docs/json.md does not describe {missing:?}"
        );
    }
}
