//! The one way in, for webhooks and for people: read, filter, write down, answer.

use std::sync::Arc;
use std::time::Duration;

use bus::{Log, Unavailable};
use job::{Request, Source, UpgradeId};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout_at};

use crate::accept::{Decision, accept};
use crate::body;
use crate::filter::Filter;

/// A log that answered with an error is asked again after this.
const AGAIN: Duration = Duration::from_millis(200);

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It opened an upgrade.
    Opened {
        /// The upgrade.
        id: UpgradeId,
    },
    /// An upgrade answers it already.
    Duplicate {
        /// That upgrade.
        id: UpgradeId,
        /// Why it counts.
        reason: String,
    },
    /// An earlier upgrade stands against it.
    Refused {
        /// That upgrade.
        id: UpgradeId,
        /// Why, and what to do.
        reason: String,
    },
    /// It is filtered out.
    Skipped {
        /// By which rule.
        reason: String,
    },
    /// It cannot be read.
    BadRequest {
        /// What was wrong, and what to send.
        reason: String,
    },
    /// It cannot be written down now.
    Unavailable {
        /// What is missing.
        reason: String,
    },
}

/// Reads, filters and writes requests down.
pub struct Gate {
    log: Arc<dyn Log>,
    instance: String,
    repository: String,
    filter: Filter,
    nats_wait: Duration,
}

impl Gate {
    /// A gate for one repository.
    #[must_use]
    pub fn new(
        log: Arc<dyn Log>,
        instance: String,
        repository: String,
        filter: Filter,
        nats_wait: Duration,
    ) -> Gate {
        Gate {
            log,
            instance,
            repository,
            filter,
            nats_wait,
        }
    }

    /// A webhook's body.
    pub async fn announced(&self, bytes: &[u8]) -> Answer {
        let deadline = self.deadline();
        let announcement = match body::parse(bytes) {
            Ok(announcement) => announcement,
            Err(error) => {
                let reason = error.to_string();
                let answer = Answer::BadRequest { reason };
                self.keep("", "", &answer, deadline).await;
                return answer;
            }
        };
        let wanted = match self.filter.judge(&announcement) {
            Ok(wanted) => wanted,
            Err(reason) => {
                let answer = Answer::Skipped { reason };
                self.keep(
                    &announcement.image.normalised(),
                    &announcement.status,
                    &answer,
                    deadline,
                )
                .await;
                return answer;
            }
        };
        let request = Request {
            repository: self.repository.clone(),
            image: wanted.image,
            tag: wanted.tag,
            chart: false,
            digest: announcement.digest,
            status: announcement.status,
            source: announcement.source,
            hub_link: announcement.hub_link.chars().take(500).collect(),
            attempt: 1,
            retry_of: None,
            lift_fence: false,
            parent: None,
            service: None,
        };
        self.write_down(&request).await
    }

    /// A person's request.
    pub async fn asked(&self, image: &str, tag: &str, chart: bool) -> Answer {
        if chart {
            return Answer::Skipped {
                reason:
                    "charts can be planned with `bowline plan --chart`, but not yet carried out"
                        .to_owned(),
            };
        }
        let image = match body::tagged(image, tag) {
            Ok(image) => image,
            Err(error) => {
                return Answer::BadRequest {
                    reason: error.to_string(),
                };
            }
        };
        let wanted = match self.filter.image(&image) {
            Ok(wanted) => wanted,
            Err(reason) => return Answer::Skipped { reason },
        };
        let request = Request {
            repository: self.repository.clone(),
            image: wanted.image,
            tag: wanted.tag,
            chart,
            digest: None,
            status: String::new(),
            source: Source::Person,
            hub_link: String::new(),
            attempt: 1,
            retry_of: None,
            // Who asks for exactly this version wants it, whatever became of it before.
            lift_fence: true,
            parent: None,
            service: None,
        };
        self.write_down(&request).await
    }

    /// An upgrade that is tried again by Bowline itself.
    pub async fn again(&self, of: &UpgradeId, request: &Request) -> Answer {
        let request = Request {
            source: Source::Bowline,
            retry_of: Some(of.to_string()),
            ..request.clone()
        };
        self.write_down(&request).await
    }

    async fn write_down(&self, request: &Request) -> Answer {
        let deadline = self.deadline();
        let mut failure = None;
        let answer = match timeout_at(deadline, self.accept(request, &mut failure)).await {
            Ok(Decision::Opened(id)) => Answer::Opened { id },
            Ok(Decision::Duplicate(id, reason)) => Answer::Duplicate { id, reason },
            Ok(Decision::Refused(id, reason)) => Answer::Refused { id, reason },
            Err(_) => Answer::Unavailable {
                reason: format!(
                    "NATS did not take it within {:?}{}; send it again later, twice is once",
                    self.nats_wait,
                    failure.map_or_else(String::new, |failure| format!(" ({failure})"))
                ),
            },
        };
        self.keep(
            &format!("{}:{}", request.image, request.tag),
            &request.status,
            &answer,
            deadline,
        )
        .await;
        answer
    }

    /// Until when a request may wait for the log; whoever sent it does not wait much longer.
    fn deadline(&self) -> Instant {
        Instant::now() + self.nats_wait
    }

    /// Tries for as long as it is polled, and leaves the newest failure behind.
    async fn accept(&self, request: &Request, failure: &mut Option<Unavailable>) -> Decision {
        loop {
            match accept(self.log.as_ref(), &self.instance, request).await {
                Ok(decision) => return decision,
                Err(error) => *failure = Some(error),
            }
            sleep(AGAIN).await;
        }
    }

    /// Keeps the decision for whoever asks why. Losing one is no reason to fail the request.
    async fn keep(&self, image: &str, status: &str, answer: &Answer, deadline: Instant) {
        let (decision, id, reason) = match answer {
            Answer::Unavailable { .. } => return,
            Answer::Opened { id } => ("accepted", Some(id), ""),
            Answer::Duplicate { id, reason } => ("duplicate", Some(id), reason.as_str()),
            Answer::Refused { id, reason } => ("refused", Some(id), reason.as_str()),
            Answer::Skipped { reason } => ("skipped", None, reason.as_str()),
            Answer::BadRequest { reason } => ("refused", None, reason.as_str()),
        };
        tracing::info!(
            image,
            status,
            decision,
            reason,
            upgrade.id = id.map(UpgradeId::as_str),
            "request"
        );
        let record = json!({
            "at_ms": self.log.now_ms(),
            "image": image,
            "status": status,
            "decision": decision,
            "reason": reason,
            "upgrade": id.map(UpgradeId::as_str),
        });
        let record = record.to_string();
        let kept = self.log.intake(record.as_bytes());
        match timeout_at(deadline, kept).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("failed to keep the decision: {error}"),
            Err(_) => tracing::warn!("failed to keep the decision in time"),
        }
    }
}
