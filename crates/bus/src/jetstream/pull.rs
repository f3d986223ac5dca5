//! Pulling from a consumer: never more than the caller can take in hand.

use std::time::Duration;

use async_nats::jetstream::{AckKind, message::Info};
use async_nats::{Message, Subscriber};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::{JetStream, UPGRADES};
use crate::{Handle, Unavailable};

/// How much later than a pull ends its end may arrive.
const MARGIN: Duration = Duration::from_secs(1);

/// Open pulls on one consumer.
pub(super) struct Pull {
    bus: JetStream,
    subject: String,
    reply: String,
    arriving: Subscriber,
    /// How many messages the server may still send.
    open: usize,
    /// When the last pull has ended for certain.
    ends: Instant,
}

impl Pull {
    pub(super) async fn open(bus: &JetStream, consumer: &str) -> Result<Pull, Unavailable> {
        let reply = bus.client.new_inbox();
        let arriving = bus.client.subscribe(reply.clone()).await.map_err(|error| {
            Unavailable::because(format!("failed to listen for {consumer}"), error)
        })?;
        let stream = bus.names.stream(UPGRADES);
        Ok(Pull {
            bus: bus.clone(),
            subject: format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"),
            reply,
            arriving,
            open: 0,
            ends: Instant::now(),
        })
    }

    /// Waits for one message, with pulls open for `wanted` in all. Cancel-safe.
    pub(super) async fn next(&mut self, wanted: usize) -> Result<Message, Unavailable> {
        loop {
            if self.open < wanted {
                self.ask(wanted - self.open).await?;
            }
            // As after a restart of the server, which forgets pulls and what it had sent.
            let Ok(arrived) = timeout_at(self.ends, self.arriving.next()).await else {
                return Err(Unavailable::new("the pulls on a consumer were lost"));
            };
            let Some(message) = arrived else {
                return Err(Unavailable::new("the subscription of a consumer has ended"));
            };
            match message.status.map(|status| status.as_u16()) {
                None => {
                    self.open = self.open.saturating_sub(1);
                    return Ok(message);
                }
                Some(100) => {}
                // One pull has ended; it says how much of it was left.
                Some(404 | 408) => {
                    let left = message
                        .headers
                        .as_ref()
                        .and_then(|headers| headers.get("Nats-Pending-Messages"))
                        .and_then(|left| left.as_str().parse().ok())
                        .unwrap_or(self.open);
                    self.open = self.open.saturating_sub(left);
                }
                Some(status) => {
                    return Err(Unavailable::new(format!(
                        "a consumer refused a pull: {status} {}",
                        message.description.as_deref().unwrap_or("")
                    )));
                }
            }
        }
    }

    async fn ask(&mut self, batch: usize) -> Result<(), Unavailable> {
        let expires = self.bus.settings.pull_expires;
        let request = json!({
            "batch": batch,
            "expires": u64::try_from(expires.as_nanos()).unwrap_or(u64::MAX),
        });
        self.bus
            .client
            .publish_with_reply(
                self.subject.clone(),
                self.reply.clone(),
                request.to_string().into(),
            )
            .await
            .map_err(|error| Unavailable::because("failed to send a pull", error))?;
        self.open += batch;
        self.ends = Instant::now() + expires + MARGIN;
        Ok(())
    }

    /// Stops listening and hands back what has arrived and was not taken.
    pub(super) async fn hand_back(mut self) {
        if let Err(error) = self.arriving.unsubscribe().await {
            tracing::debug!(%error, "failed to end a subscription");
        }
        while let Some(Some(message)) = self.arriving.next().now_or_never() {
            if message.status.is_none() {
                Reply::of(&self.bus, &message).put_off(Duration::ZERO).await;
            }
        }
    }
}

/// The numbers that the server puts into the reply subject.
pub(super) struct Numbers {
    pub(super) stream_sequence: u64,
    pub(super) consumer_sequence: u64,
    pub(super) redelivered: u64,
    pub(super) pending: u64,
}

pub(super) fn numbers(bus: &JetStream, message: &Message) -> Result<Numbers, Unavailable> {
    let message = async_nats::jetstream::Message {
        message: message.clone(),
        context: bus.context.clone(),
    };
    let info: Info<'_> = message
        .info()
        .map_err(|error| Unavailable::because("a delivery lacks its numbers", error))?;
    Ok(Numbers {
        stream_sequence: info.stream_sequence,
        consumer_sequence: info.consumer_sequence,
        redelivered: u64::try_from(info.delivered.saturating_sub(1)).unwrap_or(0),
        pending: info.pending,
    })
}

/// The way back from one delivery to its consumer.
#[derive(Debug)]
pub(super) struct Reply {
    bus: JetStream,
    subject: Option<String>,
}

impl Reply {
    pub(super) fn of(bus: &JetStream, message: &Message) -> Reply {
        Reply {
            bus: bus.clone(),
            subject: message.reply.as_ref().map(ToString::to_string),
        }
    }

    pub(super) fn to(bus: &JetStream, message: &Message) -> Box<dyn Handle> {
        Box::new(Reply::of(bus, message))
    }

    /// Hands a delivery back that cannot be taken.
    pub(super) async fn put_off(&self, delay: Duration) {
        if let Err(error) = self.nak(delay).await {
            tracing::debug!(%error, "failed to hand back a delivery");
        }
    }

    /// For consumers that want no answers.
    pub(super) fn nowhere(bus: &JetStream) -> Box<dyn Handle> {
        Box::new(Reply {
            bus: bus.clone(),
            subject: None,
        })
    }

    async fn confirmed(&self, kind: AckKind) -> Result<(), Unavailable> {
        if let Some(subject) = &self.subject {
            self.bus
                .request(subject.clone(), None, Bytes::from(kind))
                .await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Handle for Reply {
    async fn ack(&self) -> Result<(), Unavailable> {
        self.confirmed(AckKind::Ack).await
    }

    async fn nak(&self, delay: Duration) -> Result<(), Unavailable> {
        self.confirmed(AckKind::Nak(Some(delay))).await
    }

    async fn progress(&self) {
        if let Some(subject) = &self.subject
            && let Err(error) = self
                .bus
                .client
                .publish(subject.clone(), Bytes::from(AckKind::Progress))
                .await
        {
            tracing::debug!(%error, "failed to send a sign of life");
        }
    }
}
