//! What a running Bowline is asked over gRPC.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tonic::transport::{Channel, Endpoint};
use wire::v1::status_client::StatusClient;
use wire::v1::{GetRequest, ListRequest, UpgradeRequest, UpgradeView};

/// No answer may take longer.
const TIMEOUT: Duration = Duration::from_secs(20);

async fn client(server: &str) -> anyhow::Result<StatusClient<Channel>> {
    let channel = Endpoint::from_shared(server.to_owned())
        .with_context(|| format!("`{server}` is not an address; expected http://host:port"))?
        .connect_timeout(TIMEOUT)
        .timeout(TIMEOUT)
        .connect()
        .await
        .with_context(|| {
            format!("failed to reach ingest at {server}; is it running? (--server, BOWLINE_SERVER)")
        })?;
    Ok(StatusClient::new(channel))
}

fn said(status: tonic::Status) -> anyhow::Error {
    anyhow::anyhow!("{}", status.message())
}

pub(crate) async fn status(server: &str, id: &str) -> anyhow::Result<ExitCode> {
    let request = GetRequest {
        id_or_prefix: id.to_owned(),
    };
    let view = client(server)
        .await?
        .get(request)
        .await
        .map_err(said)?
        .into_inner();
    println!("upgrade   {}", view.id);
    println!("service   {}", or_dash(&view.service));
    println!("image     {}", view.image);
    println!("version   {} -> {}", or_dash(&view.from), view.to);
    println!("live      {}", or_dash(&view.live));
    println!("state     {}", state(&view));
    println!("risk      {}", or_dash(&view.risk));
    println!("step      {} of {}", view.step, view.steps);
    if !view.reason.is_empty() {
        println!("reason    {}", view.reason.replace('\n', "\n          "));
    }
    println!();
    for fact in &view.facts {
        let at = jiff::Timestamp::from_millisecond(fact.at_ms)
            .map_or_else(|_| "?".to_owned(), |at| at.strftime("%F %T").to_string());
        let text = fact.text.replace('\n', "; ");
        println!("{:>4}  {at}  {:<18}  {text}", fact.n, fact.name);
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn list(server: &str, all: bool) -> anyhow::Result<ExitCode> {
    let request = ListRequest {
        include_ended: all,
        limit: 0,
    };
    let upgrades = client(server)
        .await?
        .list(request)
        .await
        .map_err(said)?
        .into_inner()
        .upgrades;
    if upgrades.is_empty() {
        println!(
            "no upgrade{}",
            if all {
                ""
            } else {
                " is under way (--all lists those that are over)"
            }
        );
        return Ok(ExitCode::SUCCESS);
    }
    for view in &upgrades {
        let name = if view.service.is_empty() {
            &view.image
        } else {
            &view.service
        };
        println!(
            "{}  {name:<24} {:>12} -> {:<12} {:<8} {}",
            view.id,
            or_dash(&view.from),
            view.to,
            or_dash(&view.risk),
            state(view)
        );
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn upgrade(server: &str, image: &str, tag: &str) -> anyhow::Result<ExitCode> {
    let request = UpgradeRequest {
        image: image.to_owned(),
        tag: tag.to_owned(),
        chart: false,
        by: String::new(),
    };
    let answer = client(server)
        .await?
        .upgrade(request)
        .await
        .map_err(said)?
        .into_inner();
    let mut line = answer.decision.clone();
    for part in [&answer.id, &answer.reason] {
        if !part.is_empty() {
            line.push_str(": ");
            line.push_str(part);
        }
    }
    println!("{line}");
    Ok(match answer.decision.as_str() {
        "accepted" | "duplicate" => ExitCode::SUCCESS,
        _ => ExitCode::from(3),
    })
}

fn state(view: &UpgradeView) -> String {
    if view.waiting_for.is_empty() {
        view.phase.clone()
    } else {
        format!("{} (waits for {})", view.phase, view.waiting_for)
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
