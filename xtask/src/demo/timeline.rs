//! The live timeline: what changed, who said so, and when.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use testkit::lab::{Answered, Lab};

/// Facts that say nothing new to a reader.
const QUIET: [&str; 6] = [
    "observed",
    "nudged",
    "tried",
    "healthy_since",
    "ready",
    "baselined",
];
/// Longer lines are cut.
const WIDTH: usize = 88;

/// What was shown so far.
pub(super) struct Timeline {
    began_ms: i64,
    /// By upgrade: how many of its facts.
    shown: BTreeMap<String, usize>,
    messages: usize,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            began_ms: now_ms(),
            shown: BTreeMap::new(),
            messages: 0,
        }
    }
}

impl Timeline {
    /// A webhook and its answer.
    pub(super) fn webhook(&self, image: &str, tag: &str, answered: &Answered) {
        let text = format!(
            "{} {}: {}",
            answered.status,
            answered.decision(),
            answered.reason()
        );
        self.line(
            self.since(now_ms()),
            "webhook",
            &format!("{image}:{tag} -> {text}"),
        );
    }

    /// Prints what is new, each fact at the time it was stated.
    pub(super) async fn look(&mut self, lab: &Lab) -> Result<()> {
        let mut news = Vec::new();
        for listed in lab.upgrades().await? {
            let view = lab.view(&listed.id).await?;
            let name = if view.service.is_empty() {
                view.image.rsplit('/').next().unwrap_or(&view.image)
            } else {
                &view.service
            };
            let seen = self.shown.entry(view.id.clone()).or_insert(0);
            for fact in view.facts.iter().skip(*seen) {
                if !QUIET.contains(&fact.name.as_str()) {
                    let what = format!("{:<18} {}", in_words(&fact.name), fact.text);
                    news.push((fact.at_ms, fact.n, name.to_owned(), what));
                }
            }
            *seen = view.facts.len();
        }
        news.sort();
        for (at_ms, _, name, what) in news {
            self.line(self.since(at_ms), &name, &what);
        }
        let messages = lab.slack.messages();
        for message in messages.iter().skip(self.messages) {
            let text = message.visible();
            self.line(
                self.since(now_ms()),
                "  # Slack",
                text.lines().next().unwrap_or_default(),
            );
        }
        self.messages = messages.len();
        Ok(())
    }

    fn since(&self, at_ms: i64) -> Duration {
        Duration::from_millis(u64::try_from(at_ms - self.began_ms).unwrap_or(0))
    }

    fn line(&self, at: Duration, who: &str, what: &str) {
        let mut what: String = what.split_whitespace().collect::<Vec<_>>().join(" ");
        if what.chars().count() > WIDTH {
            what = what.chars().take(WIDTH).chain(['…']).collect();
        }
        println!("{:>6.1} s  {who:<14} {what}", at.as_secs_f64());
    }
}

/// A fact's name, where the log's own word would alarm: pods are never ready at once.
fn in_words(fact: &str) -> &str {
    match fact {
        "failing_since" => "not healthy yet",
        name => name,
    }
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}
