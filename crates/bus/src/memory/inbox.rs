use std::time::Duration;

use async_trait::async_trait;
use job::Owner;
use tokio::time::{Instant, sleep_until};

use super::Memory;
use super::server::Next;
use crate::{Delivery, Handle, Inbox, Unavailable};

/// How much later than a pull ends its loss is noticed.
const MARGIN: Duration = Duration::from_secs(1);

/// One reader of a consumer.
pub(super) struct Pull {
    memory: Memory,
    name: String,
    generation: u64,
    /// When it is noticed that the server is away.
    lost: Option<Instant>,
}

pub(super) async fn open(memory: &Memory, owner: Owner) -> Result<Box<dyn Inbox>, Unavailable> {
    let generation = memory
        .exchange(|server| server.consumer(owner.as_str(), Some(owner), 1))
        .await?;
    Ok(Box::new(MemoryInbox(Pull::new(
        memory,
        owner.as_str(),
        generation,
    ))))
}

impl Pull {
    pub(super) fn new(memory: &Memory, name: &str, generation: u64) -> Pull {
        Pull {
            memory: memory.clone(),
            name: name.to_owned(),
            generation,
            lost: None,
        }
    }

    /// Waits for one delivery: its place, how often it was made before, and its way back.
    pub(super) async fn next(&mut self) -> Result<(u64, u64, Box<dyn Handle>), Unavailable> {
        let shared = &self.memory.shared;
        let settings = &shared.settings;
        loop {
            if shared.faults.is_away() {
                let lost = *self
                    .lost
                    .get_or_insert_with(|| Instant::now() + settings.pull_expires + MARGIN);
                sleep_until(lost).await;
                self.lost = None;
                return Err(Unavailable::new("the pulls on a consumer were lost"));
            }
            let changed = shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let next = self.memory.server().deliver(
                &self.name,
                self.generation,
                settings.ack_wait,
                &shared.faults,
            );
            match next {
                None => return Err(Unavailable::new("the consumer was deleted")),
                Some(Next::Fact(sequence, before)) => {
                    let handle = Reply {
                        memory: self.memory.clone(),
                        name: self.name.clone(),
                        sequence,
                    };
                    return Ok((sequence, before, Box::new(handle)));
                }
                Some(Next::Later(Some(due))) => {
                    tokio::select! {
                        biased;
                        () = changed => {}
                        () = sleep_until(due) => {}
                    }
                }
                Some(Next::Later(None)) => changed.await,
            }
        }
    }
}

struct MemoryInbox(Pull);

#[async_trait]
impl Inbox for MemoryInbox {
    async fn next(&mut self, _free: usize) -> Result<Delivery, Unavailable> {
        loop {
            let (sequence, redelivered, handle) = self.0.next().await?;
            let server = self.0.memory.server();
            if let Some((id, entry)) = server.fact(sequence) {
                return Ok(Delivery {
                    id: id.clone(),
                    n: entry.n,
                    sequence,
                    redelivered,
                    traceparent: entry.traceparent.clone(),
                    handle,
                });
            }
        }
    }

    async fn close(self: Box<Self>) {}
}

/// The way back from one delivery.
#[derive(Debug)]
struct Reply {
    memory: Memory,
    name: String,
    sequence: u64,
}

#[async_trait]
impl Handle for Reply {
    async fn ack(&self) -> Result<(), Unavailable> {
        self.memory
            .exchange(|server| server.answer(&self.name, self.sequence, None))
            .await
    }

    async fn nak(&self, delay: Duration) -> Result<(), Unavailable> {
        self.memory
            .change(|server| {
                server.answer(&self.name, self.sequence, Some(Instant::now() + delay));
            })
            .await
    }

    async fn progress(&self) {
        let memory = &self.memory;
        // Nobody waits for an answer to it.
        if memory.shared.faults.is_away() || memory.shared.faults.loses_request() {
            return;
        }
        let due = Instant::now() + memory.shared.settings.ack_wait;
        memory.server().answer(&self.name, self.sequence, Some(due));
    }
}

/// The way back where no answer is wanted.
#[derive(Debug)]
pub(super) struct Nowhere;

#[async_trait]
impl Handle for Nowhere {
    async fn ack(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    async fn nak(&self, _delay: Duration) -> Result<(), Unavailable> {
        Ok(())
    }

    async fn progress(&self) {}
}
