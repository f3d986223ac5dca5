//! An owner's inbox on its durable consumer.

use async_nats::Message;
use async_nats::jetstream::consumer::PullConsumer;
use async_trait::async_trait;
use job::Owner;

use super::direct::traceparent;
use super::pull::{Pull, Reply, numbers};
use super::set_up::{consumer, owner_consumer};
use super::{JetStream, UPGRADES};
use crate::{Backlog, Delivery, Inbox, Unavailable};

struct JetStreamInbox {
    bus: JetStream,
    pull: Pull,
}

/// Opens the inbox. The consumer is made sure of, so that a lost one comes back with the next try.
pub(super) async fn open(bus: &JetStream, owner: Owner) -> Result<Box<dyn Inbox>, Unavailable> {
    consumer(bus, owner_consumer(bus, owner)).await?;
    let pull = Pull::open(bus, owner.as_str()).await?;
    Ok(Box::new(JetStreamInbox {
        bus: bus.clone(),
        pull,
    }))
}

/// Asks the server what the owner's consumer has before it.
pub(super) async fn backlog(bus: &JetStream, owner: Owner) -> Result<Backlog, Unavailable> {
    let stream = bus.names.stream(UPGRADES);
    let found: Result<PullConsumer, _> = bus
        .context
        .get_consumer_from_stream(owner.as_str(), stream)
        .await;
    let found = found.map_err(|error| {
        Unavailable::because(
            format!("failed to ask for {}'s inbox", owner.as_str()),
            error,
        )
    })?;
    let info = found.cached_info();
    Ok(Backlog {
        undelivered: info.num_pending,
        unanswered: u64::try_from(info.num_ack_pending).unwrap_or(u64::MAX),
    })
}

impl JetStreamInbox {
    fn delivery(&self, message: &Message) -> Result<Delivery, Unavailable> {
        let place = self
            .bus
            .names
            .place(message.subject.as_str())
            .ok_or_else(|| {
                Unavailable::new(format!("`{}` is no subject of a fact", message.subject))
            })?;
        let numbers = numbers(&self.bus, message)?;
        Ok(Delivery {
            id: place.id,
            n: place.n,
            sequence: numbers.stream_sequence,
            redelivered: numbers.redelivered,
            traceparent: traceparent(message.headers.as_ref()),
            handle: Reply::to(&self.bus, message),
        })
    }
}

#[async_trait]
impl Inbox for JetStreamInbox {
    async fn next(&mut self, free: usize) -> Result<Delivery, Unavailable> {
        loop {
            let message = self.pull.next(free).await?;
            match self.delivery(&message) {
                Ok(delivery) => return Ok(delivery),
                // Of a newer build, perhaps: another replica may understand it.
                Err(error) => {
                    tracing::error!(%error, subject = %message.subject, "a delivery cannot be read");
                    let later = self.bus.settings.retry_cap;
                    Reply::of(&self.bus, &message).put_off(later).await;
                }
            }
        }
    }

    async fn close(self: Box<Self>) {
        self.pull.hand_back().await;
    }
}
