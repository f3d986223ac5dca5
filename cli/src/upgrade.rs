//! `bowline upgrade`: asks for an upgrade, as a webhook would.

use std::path::PathBuf;
use std::process::ExitCode;

use wire::v1::{UpgradeRequest, UpgradeResponse};

use crate::failure::{Failure, Outcome, REFUSED};
use crate::output::{Format, Out, paragraph, write};
use crate::remote::{Asker, Effect, Server};
use crate::{asked, bulk, json, watch};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The image without tag; with --chart the chart's name.
    #[arg(required_unless_present = "from_file", requires = "tag")]
    image: Option<String>,
    /// The wanted tag or chart version.
    tag: Option<String>,
    /// It is a Helm chart.
    #[arg(long)]
    chart: bool,
    /// Waits for the end, and tells it by the exit code.
    #[arg(long)]
    wait: bool,
    /// Many at once: one `IMAGE TAG` or `IMAGE:TAG` a line, `#` begins a comment, `-` reads stdin.
    /// A fault in the file keeps everything in it from being sent.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["image", "tag", "chart", "wait"])]
    from_file: Option<PathBuf>,
    #[command(flatten)]
    asker: Asker,
}

pub(crate) async fn run(args: Args, server: &Server, out: &Out) -> Outcome {
    if let Some(file) = &args.from_file {
        return bulk::run(file, &args.asker.by, server, out).await;
    }
    let (Some(image), Some(tag)) = (args.image, args.tag) else {
        return Err(Failure::usage("name an image and its wanted tag"));
    };
    if args.chart {
        asked::chart(&image, &tag).map_err(Failure::usage)?;
    } else {
        asked::image(&image, &tag).map_err(Failure::usage)?;
    }
    let request = UpgradeRequest {
        image: image.clone(),
        tag: tag.clone(),
        chart: args.chart,
        by: args.asker.by,
    };
    let mut remote = server.connect().await?;
    let answered = remote
        .ask(Effect::Changes, async |client| {
            client.upgrade(request).await
        })
        .await?;
    drop(remote);
    let one = |upgrade| json::One {
        asked: to_json(&image, &tag, &answered),
        upgrade,
    };
    if !args.wait || !stands(&answered) || answered.id.is_empty() {
        out.answer(|_| text(&answered), || one(None))?;
        return Ok(code(&answered));
    }
    if out.format != Format::Json {
        write(&text(&answered))?;
    }
    let view = watch::to_the_end(&answered.id, server, out).await?;
    out.answer(
        |out| watch::ending(&view, out),
        || one(Some(json::Upgrade::brief(&view))),
    )?;
    Ok(watch::code(&view))
}

/// Whether an upgrade stands for the request.
pub(crate) fn stands(answered: &UpgradeResponse) -> bool {
    matches!(answered.decision.as_str(), "accepted" | "duplicate")
}

/// The answer as a program reads it.
pub(crate) fn to_json(image: &str, tag: &str, answered: &UpgradeResponse) -> json::Asked {
    json::Asked {
        image: image.to_owned(),
        tag: tag.to_owned(),
        decision: answered.decision.clone(),
        reason: json::some(&answered.reason),
        id: json::some(&answered.id),
    }
}

fn code(answered: &UpgradeResponse) -> ExitCode {
    if stands(answered) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(REFUSED)
    }
}

fn text(answered: &UpgradeResponse) -> String {
    let said = match (answered.reason.as_str(), answered.id.as_str()) {
        ("", "") => answered.decision.clone(),
        ("", id) => format!("{}: upgrade {id}", answered.decision),
        (reason, _) => format!("{}: {reason}", answered.decision),
    };
    let mut text = paragraph("", &said);
    let short: String = answered.id.chars().take(8).collect();
    if short.is_empty() {
        return text;
    }
    text.push_str(&if answered.decision == "accepted" {
        format!("`bowline watch {short}` follows it.\n")
    } else {
        format!("`bowline status {short}` tells more about that one.\n")
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(decision: &str, reason: &str, id: &str) -> UpgradeResponse {
        UpgradeResponse {
            decision: decision.to_owned(),
            reason: reason.to_owned(),
            id: id.to_owned(),
        }
    }

    #[test]
    fn each_decision_says_what_became_of_it() {
        let id = "1f3a9c0211223344";
        let all = [
            answered("accepted", "", id),
            answered(
                "duplicate",
                "upgrade 1f3a9c0211223344 to this version is open already",
                id,
            ),
            answered(
                "refused",
                "upgrade 1f3a9c0211223344 to this version was aborted (the backup failed: Job \
                 dbaas/bowline-1f3a9c02 has the condition Failed); mend that and ask for it again",
                id,
            ),
            answered("skipped", "`*postgres*` is on the skip list", ""),
        ];
        let texts: Vec<String> = all.iter().map(text).collect();
        insta::assert_snapshot!(texts.join("---\n"), @r"
        accepted: upgrade 1f3a9c0211223344
        `bowline watch 1f3a9c02` follows it.
        ---
        duplicate: upgrade 1f3a9c0211223344 to this version is open already
        `bowline status 1f3a9c02` tells more about that one.
        ---
        refused: upgrade 1f3a9c0211223344 to this version was aborted (the backup failed: Job
        dbaas/bowline-1f3a9c02 has the condition Failed); mend that and ask for it again
        `bowline status 1f3a9c02` tells more about that one.
        ---
        skipped: `*postgres*` is on the skip list
        ");
    }
}
