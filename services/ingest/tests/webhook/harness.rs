//! One running ingest with all that it talks to.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use bus::{Clock, History, JetStream, Log, SystemClock};
use job::{Body, Phase, UpgradeId};
use runtime::{Health, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::nats::NatsServer;
use testkit::ports::Port;
use testkit::slack::Slack;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use wire::v1::status_client::StatusClient;

pub(crate) const SECRET: &str = "s3cret-of-the-webhook";
/// How long anything may take to come true.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Wall time that can be moved on by hand.
#[derive(Clone, Default)]
pub(crate) struct Moved(Arc<AtomicI64>);

impl Clock for Moved {
    fn now_ms(&self) -> i64 {
        SystemClock.now_ms() + self.0.load(Ordering::SeqCst)
    }
}

impl Moved {
    pub(crate) fn on(&self, by: Duration) -> anyhow::Result<()> {
        self.0
            .fetch_add(i64::try_from(by.as_millis())?, Ordering::SeqCst);
        Ok(())
    }
}

/// What the webhook answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answered {
    pub(crate) fn text(&self, key: &str) -> &str {
        self.body.get(key).and_then(Value::as_str).unwrap_or("")
    }

    pub(crate) fn decision(&self) -> (u16, &str) {
        (self.status, self.text("decision"))
    }

    pub(crate) fn id(&self) -> anyhow::Result<UpgradeId> {
        UpgradeId::parse(self.text("upgrade")).with_context(|| format!("no id in {self:?}"))
    }
}

type Running = (CancellationToken, JoinHandle<anyhow::Result<()>>);

pub(crate) struct Ingest {
    pub(crate) nats: NatsServer,
    pub(crate) log: Arc<JetStream>,
    pub(crate) slack: Slack,
    pub(crate) clock: Moved,
    pub(crate) client: reqwest::Client,
    pub(crate) health: Health,
    pub(crate) settings: Settings,
    running: Vec<Running>,
    ports: Vec<Port>,
    _dir: TempDir,
}

impl Ingest {
    pub(crate) async fn start() -> anyhow::Result<Ingest> {
        Ingest::with(|_settings| {}).await
    }

    /// Starts with settings that differ from the tests' usual ones.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> anyhow::Result<Ingest> {
        runtime::tls::install();
        let (nats, slack) = (NatsServer::start().await?, Slack::start()?);
        let dir = TempDir::with_prefix("ingest-")?;
        let mut settings = settings(&dir)?;
        let url_file = dir.path().join("slack");
        std::fs::write(&url_file, slack.url())?;
        settings.slack.webhook_url_file = Some(url_file);
        let ports = own_ports(&mut settings)?.into();
        change(&mut settings);
        let clock = Moved::default();
        let log = JetStream::connect(
            &nats.url(),
            bus::Settings {
                clock: Arc::new(clock.clone()),
                ..runtime::bus_settings(&settings)
            },
        )
        .await?;
        log.set_up().await?;
        let mut ingest = Ingest {
            nats,
            log: Arc::new(log),
            slack,
            clock,
            client: reqwest::Client::builder().timeout(LIMIT).build()?,
            health: Health::default(),
            settings,
            running: Vec::new(),
            ports,
            _dir: dir,
        };
        ingest.go().await?;
        Ok(ingest)
    }

    /// Starts it, again if it was stopped.
    pub(crate) async fn go(&mut self) -> anyhow::Result<()> {
        let started = self.launch(self.settings.clone()).await?;
        self.running.push(started);
        Ok(())
    }

    /// Starts another one beside it, on ports of its own.
    pub(crate) async fn replica(&mut self) -> anyhow::Result<()> {
        let mut settings = self.settings.clone();
        self.ports.extend(own_ports(&mut settings)?);
        settings.data_dir = settings.data_dir.join("replica");
        let started = self.launch(settings).await?;
        self.running.push(started);
        Ok(())
    }

    async fn launch(&self, settings: Settings) -> anyhow::Result<Running> {
        let stop = CancellationToken::new();
        let log: Arc<dyn Log> = Arc::<JetStream>::clone(&self.log);
        let (grpc, stopped) = (settings.ingest.grpc_listen, stop.clone());
        let health = self.health.clone();
        let running =
            tokio::spawn(async move { ingest::run(&settings, log, health, stopped).await });
        let deadline = Instant::now() + LIMIT;
        while tokio::net::TcpStream::connect(grpc).await.is_err() {
            if running.is_finished() || Instant::now() > deadline {
                bail!("ingest does not listen: {:?}", running.await);
            }
            sleep(POLL).await;
        }
        Ok((stop, running))
    }

    /// Stops all as SIGTERM would.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        for (stop, running) in std::mem::take(&mut self.running) {
            stop.cancel();
            tokio::time::timeout(LIMIT, running)
                .await
                .context("ingest does not stop")???;
        }
        Ok(())
    }

    pub(crate) fn url(&self, secret: &str) -> String {
        format!("http://{}/webhook/{secret}", self.settings.ingest.listen)
    }

    /// Posts as DIUN does when it is configured well.
    pub(crate) async fn post(&self, body: &Value) -> anyhow::Result<Answered> {
        self.send(self.client.post(self.url(SECRET)).json(body))
            .await
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Answered> {
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).with_context(|| format!("no JSON: {text}"))?;
        Ok(Answered { status, body })
    }

    pub(crate) async fn grpc(&self) -> anyhow::Result<StatusClient<Channel>> {
        let address = format!("http://{}", self.settings.ingest.grpc_listen);
        Ok(StatusClient::connect(address).await?)
    }

    /// Opens an upgrade by webhook and waits until it is admitted.
    pub(crate) async fn opened(&self, image: &str, tag: &str) -> anyhow::Result<UpgradeId> {
        let id = self.post(&native(image, tag, "new")).await?.id()?;
        self.reaches(&id, Phase::Admitted).await?;
        Ok(id)
    }

    pub(crate) async fn reaches(&self, id: &UpgradeId, phase: Phase) -> anyhow::Result<History> {
        eventually(async || {
            let history = self.log.read(id).await?.context("no log")?;
            let found = history.state.phase;
            if found == phase {
                Ok(history)
            } else {
                bail!("{id} is {found:?}, not {phase:?}")
            }
        })
        .await
    }

    /// Appends facts as the other services would.
    pub(crate) async fn tell(
        &self,
        id: &UpgradeId,
        facts: impl IntoIterator<Item = Body>,
    ) -> anyhow::Result<()> {
        let mut history = self.log.read(id).await?.context("no log")?;
        for fact in facts {
            history = self.log.append(id, Some(&history), fact).await?;
        }
        Ok(())
    }

    /// What was decided so far, oldest first.
    pub(crate) async fn decisions(&self) -> anyhow::Result<Vec<Value>> {
        let mut records = self.log.intakes(1_000).await?;
        records.reverse();
        records
            .iter()
            .map(|record| Ok(serde_json::from_slice(record)?))
            .collect()
    }
}

/// Asks again and again until the answer is there.
pub(crate) async fn eventually<T>(
    mut ask: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + LIMIT;
    loop {
        match ask().await {
            Ok(found) => return Ok(found),
            Err(error) if Instant::now() > deadline => {
                return Err(error.context("it never came true"));
            }
            Err(_) => sleep(POLL).await,
        }
    }
}

/// Settings with any ports, short intervals and a window that is never full.
pub(crate) fn settings(dir: &TempDir) -> anyhow::Result<Settings> {
    let secret_file = dir.path().join("secret");
    std::fs::write(&secret_file, format!("{SECRET}\n"))?;
    let mut settings = Settings {
        instance: "test".to_owned(),
        ..Settings::default()
    };
    settings.repository.name = "acme/infra".to_owned();
    settings.data_dir = dir.path().join("data");
    settings.ingest.secret_file = Some(secret_file);
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    settings.ingest.listen = anywhere;
    settings.ingest.grpc_listen = anywhere;
    settings.bus.sweep = Duration::from_millis(100);
    settings.rate.max_upgrades_per_window = 100;
    Ok(settings)
}

/// Ports that an ingest keeps when it is stopped and started again.
fn own_ports(settings: &mut Settings) -> anyhow::Result<[Port; 2]> {
    let ports = [Port::reserve()?, Port::reserve()?];
    settings.ingest.listen = ports[0].address();
    settings.ingest.grpc_listen = ports[1].address();
    Ok(ports)
}

/// DIUN's own body: all eleven keys, and 30 KB of a pod's status.
pub(crate) fn native(image: &str, tag: &str, status: &str) -> Value {
    let condition = "{Type:Ready Status:True LastProbeTime:0001-01-01 00:00:00 +0000 UTC} ";
    json!({
        "diun_version": "v4.33.0",
        "hostname": "diun-6f7c9d5b8-x2x9q",
        "status": status,
        "provider": "kubernetes",
        "image": format!("{image}:{tag}"),
        "hub_link": "",
        "mime_type": "application/vnd.oci.image.index.v1+json",
        "digest": format!("sha256:{}", "0a".repeat(32)),
        "created": null,
        "platform": "linux/amd64",
        "metadata": {
            "pod_name": "app-0",
            "pod_namespace": "app",
            "pod_createdat": "2026-03-01 04:12:09 +0000 UTC",
            "ctn_name": "app",
            "ctn_command": "[/bin/app]",
            "pod_status": condition.repeat(450),
        },
    })
}

/// The body of the bulk loop.
pub(crate) fn bulk(image: &str, tag: &str, status: &str) -> Value {
    json!({
        "diun_entry_status": status,
        "diun_entry_image": image,
        "diun_entry_imagetag": tag,
        "diun_entry_hublink": "https://hub.docker.com/r/x/y",
    })
}
