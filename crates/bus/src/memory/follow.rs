use async_trait::async_trait;

use super::Memory;
use super::inbox::{Nowhere, Pull};
use crate::{Follow, Followed, Unavailable};

pub(super) async fn open(
    memory: &Memory,
    durable: Option<&str>,
) -> Result<Box<dyn Follow>, Unavailable> {
    let Some(name) = durable else {
        let backlog = memory.exchange(|server| server.count()).await?;
        return Ok(Box::new(Projection {
            memory: memory.clone(),
            next: 1,
            backlog,
        }));
    };
    let (generation, backlog) = memory
        .exchange(|server| {
            let generation = server.consumer(name, None, server.last() + 1);
            (generation, server.undelivered(name))
        })
        .await?;
    Ok(Box::new(Durable {
        name: name.to_owned(),
        pull: Some(Pull::new(memory, name, generation)),
        memory: memory.clone(),
        backlog: u64::try_from(backlog).unwrap_or(u64::MAX),
    }))
}

struct Durable {
    memory: Memory,
    name: String,
    pull: Option<Pull>,
    backlog: u64,
}

#[async_trait]
impl Follow for Durable {
    async fn next(&mut self) -> Result<Followed, Unavailable> {
        loop {
            let pull = match &mut self.pull {
                Some(pull) => pull,
                None => {
                    let generation = self
                        .memory
                        .exchange(|server| server.consumer(&self.name, None, server.last() + 1))
                        .await?;
                    let pull = Pull::new(&self.memory, &self.name, generation);
                    self.pull.insert(pull)
                }
            };
            let (sequence, redelivered, handle) = match pull.next().await {
                Ok(next) => next,
                Err(error) => {
                    self.pull = None;
                    return Err(error);
                }
            };
            let server = self.memory.server();
            if let Some((id, entry)) = server.fact(sequence) {
                return Ok(Followed {
                    id: id.clone(),
                    entry: entry.clone(),
                    redelivered,
                    pending: u64::try_from(server.undelivered(&self.name)).unwrap_or(u64::MAX),
                    handle,
                });
            }
        }
    }

    fn backlog(&self) -> u64 {
        self.backlog
    }

    /// Nothing is fetched ahead.
    async fn close(self: Box<Self>) {}
}

struct Projection {
    memory: Memory,
    next: u64,
    backlog: u64,
}

#[async_trait]
impl Follow for Projection {
    async fn next(&mut self) -> Result<Followed, Unavailable> {
        loop {
            self.memory.ask().await?;
            let changed = self.memory.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let next = self.memory.server().from(self.next);
            if let Some((id, entry, pending)) = next {
                self.next = entry.sequence + 1;
                return Ok(Followed {
                    id,
                    entry,
                    redelivered: 0,
                    pending,
                    handle: Box::new(Nowhere),
                });
            }
            changed.await;
        }
    }

    fn backlog(&self) -> u64 {
        self.backlog
    }

    /// Nothing is fetched ahead.
    async fn close(self: Box<Self>) {}
}
