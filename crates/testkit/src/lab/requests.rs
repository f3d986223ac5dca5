//! What a lab is asked for: webhooks, and where the upgrades stand.

use std::time::Duration;

use anyhow::{bail, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tonic::transport::{Channel, Endpoint};
use wire::v1::status_client::StatusClient;
use wire::v1::{GetRequest, ListRequest, UpgradeView};

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

impl Lab {
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
        let (status, body) = webhook::request("POST", self.listen, path, body).await?;
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

    /// Every upgrade, without its facts.
    ///
    /// # Errors
    /// Ingest does not answer.
    pub async fn upgrades(&self) -> anyhow::Result<Vec<UpgradeView>> {
        let request = ListRequest {
            include_ended: true,
            limit: 0,
        };
        Ok(self
            .client()
            .await?
            .list(request)
            .await?
            .into_inner()
            .upgrades)
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

    async fn client(&self) -> anyhow::Result<StatusClient<Channel>> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.grpc))?;
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
