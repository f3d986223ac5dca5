//! Followers of every fact: a durable one that acknowledges, or a nameless one from the start.

use async_nats::Message;
use async_trait::async_trait;
use uuid::Uuid;

use super::JetStream;
use super::direct::entry;
use super::pull::{Numbers, Pull, Reply, numbers};
use super::set_up::{consumer, follower, projection};
use crate::{Follow, Followed, Unavailable};

/// How many facts a follower fetches ahead.
const BATCH: usize = 256;

/// Opens a follower.
pub(super) async fn open(
    bus: &JetStream,
    durable: Option<&str>,
) -> Result<Box<dyn Follow>, Unavailable> {
    if let Some(name) = durable {
        let backlog = consumer(bus, follower(bus, name)).await?;
        let pull = Some(Pull::open(bus, name).await?);
        return Ok(Box::new(Durable {
            bus: bus.clone(),
            name: name.to_owned(),
            pull,
            backlog,
        }));
    }
    let mut follower = Projection {
        bus: bus.clone(),
        pull: None,
        seen_stream: 0,
        seen_consumer: 0,
        backlog: 0,
    };
    follower.backlog = follower.begin().await?;
    Ok(Box::new(follower))
}

struct Durable {
    bus: JetStream,
    name: String,
    pull: Option<Pull>,
    backlog: u64,
}

#[async_trait]
impl Follow for Durable {
    async fn next(&mut self) -> Result<Followed, Unavailable> {
        loop {
            if self.pull.is_none() {
                consumer(&self.bus, follower(&self.bus, &self.name)).await?;
                self.pull = Some(Pull::open(&self.bus, &self.name).await?);
            }
            let Some(pull) = &mut self.pull else { continue };
            // One at a time: what is fetched ahead would run out of its time.
            let message = match pull.next(1).await {
                Ok(message) => message,
                Err(error) => {
                    self.pull = None;
                    return Err(error);
                }
            };
            let handle = Reply::to(&self.bus, &message);
            match numbers(&self.bus, &message)
                .and_then(|numbers| followed(&self.bus, &message, &numbers))
            {
                Ok(found) => return Ok(Followed { handle, ..found }),
                Err(error) => {
                    tracing::error!(%error, subject = %message.subject, "a fact cannot be read");
                    if let Err(error) = handle.nak(self.bus.settings.retry_cap).await {
                        tracing::debug!(%error, "failed to hand back a fact");
                    }
                }
            }
        }
    }

    fn backlog(&self) -> u64 {
        self.backlog
    }

    async fn close(self: Box<Self>) {
        if let Some(pull) = self.pull {
            pull.hand_back().await;
        }
    }
}

struct Projection {
    bus: JetStream,
    pull: Option<Pull>,
    seen_stream: u64,
    seen_consumer: u64,
    backlog: u64,
}

impl Projection {
    /// A new consumer behind what was seen.
    async fn begin(&mut self) -> Result<u64, Unavailable> {
        let name = format!("projection-{}", Uuid::new_v4().simple());
        let pending = consumer(
            &self.bus,
            projection(&self.bus, name.clone(), self.seen_stream + 1),
        )
        .await?;
        self.pull = Some(Pull::open(&self.bus, &name).await?);
        self.seen_consumer = 0;
        Ok(pending)
    }
}

#[async_trait]
impl Follow for Projection {
    async fn next(&mut self) -> Result<Followed, Unavailable> {
        loop {
            if self.pull.is_none() {
                self.begin().await?;
            }
            let Some(pull) = &mut self.pull else { continue };
            let message = match pull.next(BATCH).await {
                Ok(message) => message,
                Err(error) => {
                    self.pull = None;
                    return Err(error);
                }
            };
            let numbers = numbers(&self.bus, &message)?;
            if numbers.consumer_sequence != self.seen_consumer + 1 {
                // Something was lost on the way, and is not sent twice: start behind what was seen.
                self.pull = None;
                continue;
            }
            self.seen_consumer = numbers.consumer_sequence;
            self.seen_stream = numbers.stream_sequence;
            match followed(&self.bus, &message, &numbers) {
                Ok(found) => return Ok(found),
                Err(error) => {
                    tracing::error!(%error, subject = %message.subject, "a fact cannot be read");
                }
            }
        }
    }

    fn backlog(&self) -> u64 {
        self.backlog
    }

    /// Nobody else gets what this one has fetched.
    async fn close(self: Box<Self>) {}
}

fn followed(
    bus: &JetStream,
    message: &Message,
    numbers: &Numbers,
) -> Result<Followed, Unavailable> {
    let (id, entry) = entry(
        bus,
        message.subject.as_str(),
        numbers.stream_sequence,
        message.headers.as_ref(),
        &message.payload,
    )?;
    Ok(Followed {
        id,
        entry,
        redelivered: numbers.redelivered,
        pending: numbers.pending,
        handle: Reply::nowhere(bus),
    })
}
