//! What a lab is asked for: webhooks, and where the upgrades stand.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tonic::transport::{Channel, Endpoint};
use wire::v1::status_client::StatusClient;
use wire::v1::{GetRequest, ListRequest, UpgradeRequest, UpgradeView};

use super::{Lab, POLL, SECRET, webhook};

/// What the webhook answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; null if it was none.
    pub body: Value,
}

impl Answered {
    /// The upgrade's id; empty if there is none.
    #[must_use]
    pub fn id(&self) -> &str {
        self.text("upgrade")
    }

    /// What was decided, in a word.
    #[must_use]
    pub fn decision(&self) -> &str {
        self.text("decision")
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.text("reason")
    }

    fn text(&self, key: &str) -> &str {
        self.body
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// A webhook that was not answered yet.
#[derive(Debug)]
pub struct Begun(TcpStream);

impl Begun {
    /// Waits for the answer.
    ///
    /// # Errors
    /// There is none.
    pub async fn answer(self) -> anyhow::Result<Answered> {
        let (status, body) = webhook::answer(self.0).await?;
        let body = serde_json::from_str(&body).unwrap_or(Value::Null);
        Ok(Answered { status, body })
    }
}

impl Lab {
    /// Where ingest takes webhooks.
    #[must_use]
    pub fn webhook_address(&self) -> SocketAddr {
        self.listen.address()
    }

    /// Posts DIUN's native body.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn webhook(&self, image: &str, tag: &str, status: &str) -> anyhow::Result<Answered> {
        self.post(&webhook::native(image, tag, status).to_string())
            .await
    }

    /// Posts the body of the bulk loop.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn bulk(&self, image: &str, tag: &str) -> anyhow::Result<Answered> {
        self.post(&webhook::bulk(image, tag).to_string()).await
    }

    /// Posts any body to the webhook.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn post(&self, body: &str) -> anyhow::Result<Answered> {
        self.post_to(&format!("/webhook/{SECRET}"), body).await
    }

    /// Posts any body to any path.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn post_to(&self, path: &str, body: &str) -> anyhow::Result<Answered> {
        let (status, body) = webhook::request("POST", self.listen.address(), path, body).await?;
        let body = serde_json::from_str(&body).unwrap_or(Value::Null);
        Ok(Answered { status, body })
    }

    /// Posts DIUN's native body and returns the id of the upgrade that it opened.
    ///
    /// # Errors
    /// It was not accepted.
    pub async fn upgrade(&self, image: &str, tag: &str) -> anyhow::Result<String> {
        let answered = self.webhook(image, tag, "new").await?;
        ensure!(
            answered.decision() == "accepted",
            "the webhook answered {answered:?}"
        );
        Ok(answered.id().to_owned())
    }

    /// Posts DIUN's native body, and returns once ingest has it in hand.
    ///
    /// # Errors
    /// Nobody takes it.
    pub async fn begin_webhook(
        &self,
        image: &str,
        tag: &str,
        status: &str,
    ) -> anyhow::Result<Begun> {
        let body = webhook::native(image, tag, status).to_string();
        let path = format!("/webhook/{SECRET}");
        webhook::begin(self.listen.address(), &path, &body)
            .await
            .map(Begun)
    }

    /// Asks any address of ours: the status and the body.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn get(&self, address: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
        webhook::request("GET", address, path, "").await
    }

    /// As [`Lab::upgrade`], from a caller that has a trace of its own.
    ///
    /// # Errors
    /// It was not accepted.
    pub async fn upgrade_in_trace(
        &self,
        image: &str,
        tag: &str,
        traceparent: &str,
    ) -> anyhow::Result<String> {
        let body = webhook::native(image, tag, "new").to_string();
        let (path, header) = (
            format!("/webhook/{SECRET}"),
            format!("traceparent: {traceparent}\r\n"),
        );
        let (_, body) =
            webhook::request_with("POST", self.listen.address(), &path, &header, &body).await?;
        let answered: Value = serde_json::from_str(&body)?;
        ensure!(
            answered["decision"] == "accepted",
            "the webhook answered {body}"
        );
        Ok(answered["upgrade"].as_str().unwrap_or_default().to_owned())
    }

    /// What a service's `/metrics` says.
    ///
    /// # Errors
    /// It serves none.
    pub async fn metrics(&self, service: &str) -> anyhow::Result<String> {
        let address = self.health(service);
        let address = address.with_context(|| format!("{service} serves no metrics"))?;
        let (status, text) = webhook::request("GET", address, "/metrics", "").await?;
        ensure!(status == 200, "{service} answered {status}: {text}");
        Ok(text)
    }

    /// Every upgrade, without its facts.
    ///
    /// # Errors
    /// Ingest does not answer.
    pub async fn upgrades(&self) -> anyhow::Result<Vec<UpgradeView>> {
        let mut client = self.client().await?;
        let (mut upgrades, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListRequest {
                include_ended: true,
                page_token,
                ..ListRequest::default()
            };
            let page = client.list(request).await?.into_inner();
            upgrades.extend(page.upgrades);
            if page.next_page_token.is_empty() {
                return Ok(upgrades);
            }
            page_token = page.next_page_token;
        }
    }

    /// One upgrade with its facts.
    ///
    /// # Errors
    /// Ingest does not answer, or does not know it yet.
    pub async fn view(&self, id: &str) -> anyhow::Result<UpgradeView> {
        let request = GetRequest {
            id_or_prefix: id.to_owned(),
        };
        Ok(self.client().await?.get(request).await?.into_inner())
    }

    /// Asks for an upgrade as a person does, and returns the id of the one that it opened.
    ///
    /// # Errors
    /// It was not accepted.
    pub async fn ask(&self, image: &str, tag: &str) -> anyhow::Result<String> {
        let request = UpgradeRequest {
            image: image.to_owned(),
            tag: tag.to_owned(),
            chart: false,
            by: "alice".to_owned(),
        };
        let answered = self.client().await?.upgrade(request).await?.into_inner();
        ensure!(
            answered.decision == "accepted",
            "the answer is {answered:?}"
        );
        Ok(answered.id)
    }

    /// The gRPC service.
    ///
    /// # Errors
    /// Ingest does not answer.
    pub async fn client(&self) -> anyhow::Result<StatusClient<Channel>> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.grpc.address()))?;
        let endpoint = endpoint.timeout(Duration::from_secs(10));
        Ok(StatusClient::new(endpoint.connect().await?))
    }

    /// Waits until the upgrade is as wanted.
    ///
    /// # Errors
    /// It is not within the limit; the error tells its facts.
    pub async fn wait(
        &self,
        id: &str,
        what: &str,
        wanted: impl Fn(&UpgradeView) -> bool,
        limit: Duration,
    ) -> anyhow::Result<UpgradeView> {
        let deadline = Instant::now() + limit;
        loop {
            let seen = self.view(id).await;
            if let Ok(view) = &seen
                && wanted(view)
            {
                return Ok(view.clone());
            }
            if Instant::now() > deadline {
                let seen = seen.map_or_else(|error| format!("{error:#}"), |view| told(&view));
                bail!("never happened within {limit:?}: {id} {what}; it is\n{seen}");
            }
            sleep(POLL).await;
        }
    }

    /// Waits until the upgrade is over, and returns it.
    ///
    /// # Errors
    /// It is not within the limit; the error tells its facts.
    pub async fn ended(&self, id: &str, how: &str, limit: Duration) -> anyhow::Result<UpgradeView> {
        let over = |view: &UpgradeView| view.phase.starts_with("Ended") || view.phase == "Stuck";
        let view = self.wait(id, how, over, limit).await?;
        ensure!(view.phase.contains(how), "not {how}, but\n{}", told(&view));
        Ok(view)
    }

    /// Waits until the condition holds.
    ///
    /// # Errors
    /// It does not within the limit.
    pub async fn until(
        &self,
        what: &str,
        wanted: impl Fn() -> bool,
        limit: Duration,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        while !wanted() {
            ensure!(
                Instant::now() < deadline,
                "never happened within {limit:?}: {what}"
            );
            sleep(POLL).await;
        }
        Ok(())
    }
}

/// An upgrade and its facts, for people.
#[must_use]
pub fn told(view: &UpgradeView) -> String {
    let mut text = format!(
        "{} {} {} -> {} {} (step {}/{}, {}, waits for {:?}) {}",
        view.id,
        view.service,
        view.from,
        view.to,
        view.phase,
        view.step,
        view.steps,
        view.owner,
        view.waiting_for,
        view.reason
    );
    for fact in &view.facts {
        text.push_str(&format!(
            "\n  {:>3} {:<18} {}",
            fact.n, fact.name, fact.text
        ));
    }
    text
}
