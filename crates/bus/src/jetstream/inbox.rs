//! An owner's inbox on its durable consumer.

use std::time::Duration;

use async_nats::Message;
use async_trait::async_trait;
use job::Owner;

use super::JetStream;
use super::pull::{Pull, Reply, numbers};
use super::set_up::{consumer, owner_consumer};
use crate::{Delivery, Handle, Inbox, Unavailable};

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
                    put_off(&*Reply::to(&self.bus, &message), later).await;
                }
            }
        }
    }

    async fn close(self: Box<Self>) {
        let JetStreamInbox { bus, pull } = *self;
        for message in pull.close().await {
            put_off(&*Reply::to(&bus, &message), Duration::ZERO).await;
        }
    }
}

async fn put_off(handle: &dyn Handle, delay: Duration) {
    if let Err(error) = handle.nak(delay).await {
        tracing::debug!(%error, "failed to hand back a delivery");
    }
}
