//! The one way in, for webhooks and for people: read, filter, write down, answer.

use std::sync::Arc;
use std::time::Duration;

use bus::{Log, Unavailable};
use job::{Request, Source, UpgradeId};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::accept::{Decision, accept};
use crate::body;
use crate::filter::Filter;
use crate::spool::{Record, Spool};

/// A log that answered with an error is asked again after this.
const AGAIN: Duration = Duration::from_millis(200);

/// A disk that takes longer than this to write a request down has failed: DIUN waits 10 s in all.
const SPOOL_WAIT: Duration = Duration::from_secs(3);

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
    /// It is on this replica's disk, and goes on when the log is back.
    Spooled {
        /// What is missing.
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
    spool: Option<Spool>,
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
            spool: None,
        }
    }

    /// As before, with a place for requests that the log does not take in time.
    #[must_use]
    pub fn with_spool(self, spool: Spool) -> Gate {
        let spool = Some(spool);
        Gate { spool, ..self }
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
            by: String::new(),
        };
        self.write_down(request, self.spool.as_ref()).await
    }

    /// A person's request.
    pub async fn asked(&self, image: &str, tag: &str, chart: bool, by: &str) -> Answer {
        let asked = if chart {
            of_chart(image, tag)
        } else {
            self.of_image(image, tag)
        };
        let (image, tag) = match asked {
            Ok(asked) => asked,
            Err(answer) => return answer,
        };
        let request = Request {
            repository: self.repository.clone(),
            image,
            tag,
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
            by: by.to_owned(),
        };
        self.write_down(request, self.spool.as_ref()).await
    }

    /// A person's image and tag, as they are written down.
    fn of_image(&self, image: &str, tag: &str) -> Result<(String, String), Answer> {
        let image = body::tagged(image, tag).map_err(|error| Answer::BadRequest {
            reason: error.to_string(),
        })?;
        let skipped = |reason| Answer::Skipped { reason };
        let wanted = self.filter.image(&image).map_err(skipped)?;
        Ok((wanted.image, wanted.tag))
    }

    /// An upgrade that a person wants to be tried again.
    pub async fn retried(&self, of: &UpgradeId, request: &Request, by: &str) -> Answer {
        let request = Request {
            source: Source::Person,
            by: by.to_owned(),
            retry_of: Some(of.to_string()),
            lift_fence: true,
            ..request.clone()
        };
        self.write_down(request, None).await
    }

    /// An upgrade that is tried again by Bowline itself, which needs no spool to come again.
    pub async fn again(&self, of: &UpgradeId, request: &Request) -> Answer {
        let request = Request {
            source: Source::Bowline,
            by: String::new(),
            retry_of: Some(of.to_string()),
            ..request.clone()
        };
        self.write_down(request, None).await
    }

    /// A request that was spooled.
    ///
    /// # Errors
    /// [`Unavailable`] if the log does not take it now either.
    pub async fn replayed(&self, record: &Record) -> Result<Answer, Unavailable> {
        let Record {
            received_ms,
            request,
        } = record;
        let log = self.log.as_ref();
        let decision = accept(log, &self.instance, request, Some(*received_ms)).await?;
        let answer = Answer::from(decision);
        self.keep_of(request, &answer, self.deadline()).await;
        Ok(answer)
    }

    async fn write_down(&self, request: Request, spool: Option<&Spool>) -> Answer {
        let (deadline, received_ms) = (self.deadline(), self.log.now_ms());
        let mut failure = None;
        let answer = match timeout_at(deadline, self.accept(&request, &mut failure)).await {
            Ok(decision) => Answer::from(decision),
            Err(_) => {
                let why = format!(
                    "NATS did not take it within {:?}{}",
                    self.nats_wait,
                    failure.map_or_else(String::new, |failure| format!(" ({failure})"))
                );
                let request = request.clone();
                set_by(
                    spool,
                    Record {
                        received_ms,
                        request,
                    },
                    &why,
                )
                .await
            }
        };
        self.keep_of(&request, &answer, deadline).await;
        answer
    }

    /// Until when a request may wait for the log; whoever sent it does not wait much longer.
    fn deadline(&self) -> Instant {
        Instant::now() + self.nats_wait
    }

    /// Tries for as long as it is polled, and leaves the newest failure behind.
    async fn accept(&self, request: &Request, failure: &mut Option<Unavailable>) -> Decision {
        loop {
            match accept(self.log.as_ref(), &self.instance, request, None).await {
                Ok(decision) => return decision,
                Err(error) => *failure = Some(error),
            }
            sleep(AGAIN).await;
        }
    }

    async fn keep_of(&self, request: &Request, answer: &Answer, deadline: Instant) {
        let name = format!("{}:{}", request.image, request.tag);
        self.keep(&name, &request.status, answer, deadline).await;
    }

    /// Keeps the decision for whoever asks why. Losing one is no reason to fail the request.
    async fn keep(&self, image: &str, status: &str, answer: &Answer, deadline: Instant) {
        let (decision, id, reason) = match answer {
            Answer::Unavailable { .. } => return,
            // Its decision is kept when it is replayed.
            Answer::Spooled { reason } => {
                tracing::warn!(image, status, reason, "a request was spooled");
                return;
            }
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

/// A person's chart and version, as they are written down. No list of skipped images is about them.
fn of_chart(name: &str, version: &str) -> Result<(String, String), Answer> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    let reason = if version.is_empty() || !version.chars().all(plain) {
        format!("{version:?} is no chart version: use letters, digits, `.`, `_`, `-` and `+`")
    } else if name.is_empty() || !name.chars().all(|c| plain(c) || "/:".contains(c)) {
        format!("{name:?} is no name of a chart")
    } else {
        return Ok((name.to_owned(), version.to_owned()));
    };
    Err(Answer::BadRequest { reason })
}

impl From<Decision> for Answer {
    fn from(decision: Decision) -> Answer {
        match decision {
            Decision::Opened(id) => Answer::Opened { id },
            Decision::Duplicate(id, reason) => Answer::Duplicate { id, reason },
            Decision::Refused(id, reason) => Answer::Refused { id, reason },
        }
    }
}

/// Spools a request that the log did not take, for the reason given.
async fn set_by(spool: Option<&Spool>, record: Record, why: &str) -> Answer {
    let failure = match spool {
        None => String::new(),
        Some(spool) => match timeout(SPOOL_WAIT, spool.put(record)).await {
            Ok(Ok(())) => {
                return Answer::Spooled {
                    reason: format!("{why}; it is kept on disk and goes on when NATS is back"),
                };
            }
            Ok(Err(error)) => format!(", and {error}"),
            Err(_) => format!(", and the disk did not take it within {SPOOL_WAIT:?}"),
        },
    };
    if !failure.is_empty() {
        tracing::error!("a request was turned away: {why}{failure}");
    }
    Answer::Unavailable {
        reason: format!("{why}{failure}; send it again later, twice is once"),
    }
}
