//! Streams, buckets and consumers, created or adapted to the settings.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use job::Owner;

use super::{ARCHIVE, INTAKE, JetStream, UPGRADES};
use crate::{Bucket, Unavailable};

/// The follower that tells people, one for all replicas.
pub const ANNOUNCER: &str = "announcer";
/// Waiting messages count as unacknowledged; with few of them an undo would not be delivered.
const MAX_ACK_PENDING: i64 = 50_000;
/// The bucket `CACHE` holds no more; the log is on the same disk.
const CACHE_BYTES: i64 = 256 * 1024 * 1024;
/// A projection that is gone leaves nothing behind for longer.
const EPHEMERAL_KEPT: Duration = Duration::from_secs(60);

pub(super) async fn set_up(bus: &JetStream) -> Result<(), Unavailable> {
    let mut streams = vec![upgrades(bus), archive(bus), intake(bus)];
    streams.extend(Bucket::ALL.map(|each| bucket(bus, each)));
    for config in streams {
        let what = format!("failed to set up {}", config.name);
        // Two replicas may create it at once; the second one then only adapts it.
        if bus
            .context
            .create_or_update_stream(config.clone())
            .await
            .is_err()
        {
            bus.context
                .create_or_update_stream(config)
                .await
                .map_err(|error| Unavailable::because(what, error))?;
        }
    }
    // It starts at what comes next: made only when first followed, it would miss
    // what the owners have done until then.
    consumer(bus, follower(bus, ANNOUNCER)).await?;
    for owner in Owner::WITH_INBOX {
        consumer(bus, owner_consumer(bus, owner)).await?;
    }
    Ok(())
}

fn stream(bus: &JetStream, name: String, subject: String) -> Config {
    Config {
        name,
        subjects: vec![subject],
        num_replicas: bus.settings.replicas,
        allow_direct: true,
        ..Config::default()
    }
}

fn upgrades(bus: &JetStream) -> Config {
    Config {
        deny_delete: true,
        duplicate_window: bus.settings.duplicate_window,
        ..stream(bus, bus.names.stream(UPGRADES), bus.names.upgrades())
    }
}

fn archive(bus: &JetStream) -> Config {
    Config {
        max_messages_per_subject: 1,
        ..stream(bus, bus.names.stream(ARCHIVE), bus.names.archive("*"))
    }
}

fn intake(bus: &JetStream) -> Config {
    Config {
        max_age: bus.settings.intake_age,
        ..stream(bus, bus.names.stream(INTAKE), bus.names.intake())
    }
}

fn bucket(bus: &JetStream, bucket: Bucket) -> Config {
    let name = bus.names.bucket(bucket.as_str());
    let cache = bucket == Bucket::Cache;
    Config {
        max_messages_per_subject: 1,
        // What can be fetched again gives way, and takes no room from the log.
        discard: if cache {
            DiscardPolicy::Old
        } else {
            DiscardPolicy::New
        },
        max_bytes: if cache { CACHE_BYTES } else { -1 },
        allow_rollup: true,
        deny_delete: true,
        allow_message_ttl: true,
        max_age: if cache {
            bus.settings.cache_age
        } else {
            Duration::ZERO
        },
        ..stream(bus, format!("KV_{name}"), format!("$KV.{name}.>"))
    }
}

/// Creates or adapts a consumer of the log and returns how much it has to deliver.
pub(super) async fn consumer(bus: &JetStream, config: pull::Config) -> Result<u64, Unavailable> {
    let name = config
        .durable_name
        .clone()
        .or_else(|| config.name.clone())
        .unwrap_or_default();
    let created: Result<PullConsumer, _> = bus
        .context
        .create_consumer_on_stream(config, bus.names.stream(UPGRADES))
        .await;
    created
        .map(|consumer| consumer.cached_info().num_pending)
        .map_err(|error| {
            Unavailable::because(format!("failed to set up the consumer {name}"), error)
        })
}

pub(super) fn owner_consumer(bus: &JetStream, owner: Owner) -> pull::Config {
    pull::Config {
        filter_subject: bus.names.owner(owner),
        ..durable(bus, owner.as_str())
    }
}

/// A named follower of everything; a new one starts at what comes next.
pub(super) fn follower(bus: &JetStream, name: &str) -> pull::Config {
    pull::Config {
        filter_subject: bus.names.upgrades(),
        deliver_policy: DeliverPolicy::New,
        ..durable(bus, name)
    }
}

fn durable(bus: &JetStream, name: &str) -> pull::Config {
    pull::Config {
        durable_name: Some(name.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: bus.settings.ack_wait,
        max_deliver: -1,
        max_ack_pending: MAX_ACK_PENDING,
        ..pull::Config::default()
    }
}

/// A nameless follower of everything from `start` on.
pub(super) fn projection(bus: &JetStream, name: String, start: u64) -> pull::Config {
    pull::Config {
        name: Some(name),
        filter_subject: bus.names.upgrades(),
        deliver_policy: DeliverPolicy::ByStartSequence {
            start_sequence: start,
        },
        ack_policy: AckPolicy::None,
        inactive_threshold: EPHEMERAL_KEPT,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    }
}
