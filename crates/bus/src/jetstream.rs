//! The log on NATS JetStream.

mod direct;
mod follow;
mod inbox;
mod kv;
mod publish;
mod pull;
mod set_up;

pub use set_up::ANNOUNCER;

use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event, jetstream};
use async_trait::async_trait;
use bytes::Bytes;
use job::{Body, Owner, UpgradeId};

use crate::subject::Names;
use crate::{
    AppendError, Backlog, Bucket, Follow, History, Inbox, Log, PutError, Settings, Unavailable,
    append, metrics, records,
};

const UPGRADES: &str = "UPGRADES";
const ARCHIVE: &str = "ARCHIVE";
const INTAKE: &str = "INTAKE";

/// The longest pause between two attempts to connect again.
const RECONNECT_CAP: Duration = Duration::from_secs(2);

/// The log on NATS JetStream.
#[derive(Debug, Clone)]
pub struct JetStream {
    client: Client,
    context: jetstream::Context,
    names: Names,
    settings: Settings,
}

/// The address without what stands before its `@`, and that: a user with a password, or a token.
/// The client's own messages show the address as it was given.
fn apart(url: &str) -> (String, Option<(String, Option<String>)>) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
    let Some((user, host)) = rest.rsplit_once('@') else {
        return (url.to_owned(), None);
    };
    let user = match user.split_once(':') {
        Some((user, password)) => (user.to_owned(), Some(password.to_owned())),
        None => (user.to_owned(), None),
    };
    (format!("{scheme}://{host}"), Some(user))
}

impl JetStream {
    /// Begins to connect and goes on trying in the background, also after every loss.
    ///
    /// # Errors
    /// [`Unavailable`] if the address, the credentials or the instance's name cannot be used.
    pub async fn connect(url: &str, settings: Settings) -> Result<JetStream, Unavailable> {
        let names = Names::new(&settings.instance).ok_or_else(|| {
            Unavailable::new(format!(
                "`{}` is no instance name: letters, digits, `-` and `_` only",
                settings.instance
            ))
        })?;
        let mut options = ConnectOptions::new();
        if let Some(seed) = &settings.nkey_seed {
            options = options.nkey(seed.trim().to_owned());
        }
        let (servers, user) = apart(url);
        match user {
            Some((user, Some(password))) => options = options.user_and_password(user, password),
            Some((token, None)) => options = options.token(token),
            None => {}
        }
        if let Some(token) = &settings.token {
            options = options.token(token.clone());
        }
        let client = options
            .name(format!("bowline {}", settings.instance))
            .request_timeout(Some(settings.publish_timeout))
            .connection_timeout(settings.publish_timeout)
            .retry_on_initial_connect()
            .reconnect_delay_callback(reconnect_delay)
            .event_callback(async |event| report(&event))
            .connect(servers)
            .await
            .map_err(|error| Unavailable::because("failed to connect to NATS", error))?;
        let context = jetstream::ContextBuilder::new()
            .timeout(settings.publish_timeout)
            .build(client.clone());
        Ok(JetStream {
            client,
            context,
            names,
            settings,
        })
    }

    /// Creates or adapts every stream, bucket and consumer; may be called again at any time.
    ///
    /// # Errors
    /// [`Unavailable`] if the server cannot be asked, or refuses.
    pub async fn set_up(&self) -> Result<(), Unavailable> {
        set_up::set_up(self).await
    }

    /// Whether the log is there and may be read, whoever has set it up.
    ///
    /// # Errors
    /// [`Unavailable`] if it is not.
    pub async fn check(&self) -> Result<(), Unavailable> {
        let nobody = UpgradeId::derive(&self.settings.instance, "", "", "", 0);
        direct::read(self, &nobody).await.map(drop)
    }

    /// Whether the server is connected at the moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Sends a request and waits for its one answer.
    async fn request(
        &self,
        subject: String,
        headers: Option<async_nats::HeaderMap>,
        payload: Bytes,
    ) -> Result<async_nats::Message, Unavailable> {
        let mut request = async_nats::Request::new().payload(payload);
        if let Some(headers) = headers {
            request = request.headers(headers);
        }
        let what = format!("no answer from NATS on {subject}");
        self.client
            .send_request(subject, request)
            .await
            .map_err(|error| Unavailable::because(what, error))
    }
}

fn reconnect_delay(attempts: usize) -> Duration {
    let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    Duration::from_millis(100)
        .saturating_mul(attempts)
        .min(RECONNECT_CAP)
}

fn report(event: &Event) {
    match event {
        Event::Connected => {
            metrics::connected(true);
            tracing::info!("connected to NATS");
        }
        Event::Disconnected => {
            metrics::connected(false);
            tracing::warn!("lost the connection to NATS");
        }
        Event::LameDuckMode | Event::Draining | Event::Closed => tracing::info!(%event, "NATS"),
        Event::SlowConsumer(_) | Event::ServerError(_) | Event::ClientError(_) => {
            tracing::warn!(%event, "NATS");
        }
    }
}

#[async_trait]
impl Log for JetStream {
    async fn read(&self, id: &UpgradeId) -> Result<Option<History>, Unavailable> {
        direct::read(self, id).await
    }

    async fn append(
        &self,
        id: &UpgradeId,
        seen: Option<&History>,
        body: Body,
    ) -> Result<History, AppendError> {
        append::append(self, id, seen, body).await
    }

    async fn inbox(&self, owner: Owner) -> Result<Box<dyn Inbox>, Unavailable> {
        inbox::open(self, owner).await
    }

    async fn backlog(&self, owner: Owner) -> Result<Option<Backlog>, Unavailable> {
        inbox::backlog(self, owner).await.map(Some)
    }

    async fn follow(&self, durable: Option<&str>) -> Result<Box<dyn Follow>, Unavailable> {
        follow::open(self, durable).await
    }

    async fn get(&self, bucket: Bucket, key: &str) -> Result<Option<(u64, Vec<u8>)>, Unavailable> {
        records::get(self, bucket, key).await
    }

    async fn list(&self, bucket: Bucket) -> Result<Vec<(String, Vec<u8>)>, Unavailable> {
        kv::list(self, bucket).await
    }

    async fn put(
        &self,
        bucket: Bucket,
        key: &str,
        expected_revision: u64,
        value: &[u8],
    ) -> Result<u64, PutError> {
        records::put(self, bucket, key, expected_revision, value, None).await
    }

    async fn put_expiring(
        &self,
        bucket: Bucket,
        key: &str,
        expected_revision: u64,
        value: &[u8],
        ttl: Duration,
    ) -> Result<u64, PutError> {
        records::put(self, bucket, key, expected_revision, value, Some(ttl)).await
    }

    async fn delete(
        &self,
        bucket: Bucket,
        key: &str,
        expected_revision: u64,
    ) -> Result<(), PutError> {
        records::delete(self, bucket, key, expected_revision).await
    }

    async fn intake(&self, record: &[u8]) -> Result<(), Unavailable> {
        let payload = Bytes::copy_from_slice(record);
        publish::store(
            self,
            self.names.intake(),
            async_nats::HeaderMap::new(),
            payload,
        )
        .await?
        .stored("keep a webhook")
    }

    async fn intakes(&self, limit: usize) -> Result<Vec<Vec<u8>>, Unavailable> {
        direct::newest(self, INTAKE, limit).await
    }

    async fn archive(&self, id: &UpgradeId, summary: &[u8]) -> Result<(), Unavailable> {
        let payload = Bytes::copy_from_slice(summary);
        let subject = self.names.archive(id.as_str());
        publish::store(self, subject, async_nats::HeaderMap::new(), payload)
            .await?
            .stored("archive a summary")?;
        let stream = self
            .context
            .get_stream_no_info(self.names.stream(UPGRADES))
            .await
            .map_err(|error| Unavailable::because("failed to bind to the log", error))?;
        stream
            .purge()
            .filter(self.names.upgrade(id))
            .await
            .map_err(|error| Unavailable::because(format!("failed to purge {id}"), error))?;
        Ok(())
    }

    async fn archived(&self, id: &UpgradeId) -> Result<Option<Vec<u8>>, Unavailable> {
        let stream = self.names.stream(ARCHIVE);
        let found = direct::last(self, &stream, &self.names.archive(id.as_str())).await?;
        Ok(found.map(|stored| stored.payload.to_vec()))
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }
}

#[cfg(test)]
impl JetStream {
    /// What the server knows about a consumer of the log.
    pub(crate) async fn consumer_info(
        &self,
        name: &str,
    ) -> Result<jetstream::consumer::Info, Unavailable> {
        let stream = self.names.stream(UPGRADES);
        let found: Result<jetstream::consumer::PullConsumer, _> =
            self.context.get_consumer_from_stream(name, stream).await;
        found
            .map(|consumer| consumer.cached_info().clone())
            .map_err(|error| Unavailable::because("no consumer", error))
    }

    /// Forgets a consumer and what was acknowledged on it.
    pub(crate) async fn delete_consumer(&self, name: &str) -> Result<(), Unavailable> {
        let stream = self.names.stream(UPGRADES);
        self.context
            .delete_consumer_from_stream(name, stream)
            .await
            .map(|_status| ())
            .map_err(|error| Unavailable::because("no consumer", error))
    }
}

#[cfg(test)]
mod tests {
    use super::apart;

    #[test]
    fn credentials_are_no_part_of_the_address() {
        let user = |name: &str, password: Option<&str>| {
            Some((name.to_owned(), password.map(str::to_owned)))
        };
        for (url, address, expected) in [
            ("nats://nats:4222", "nats://nats:4222", None),
            ("nats:4222", "nats:4222", None),
            (
                "nats://me:hu@sh@nats:4222",
                "nats://nats:4222",
                user("me", Some("hu@sh")),
            ),
            ("tls://hush@nats", "tls://nats", user("hush", None)),
            ("me:hush@nats", "nats://nats", user("me", Some("hush"))),
        ] {
            assert_eq!(apart(url), (address.to_owned(), expected), "{url}");
        }
    }
}
