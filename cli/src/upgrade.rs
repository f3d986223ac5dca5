//! `bowline upgrade`: asks for an upgrade, as a webhook would.

use std::path::PathBuf;
use std::process::ExitCode;

use wire::v1::{UpgradeRequest, UpgradeResponse};

use crate::failure::{Failure, Outcome, REFUSED, read_or_not};
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
    let asked = to_json(&image, &tag, &answered);
    let standing = Standing::of(&asked.decision);
    let one = |upgrade, parts| json::One {
        asked: asked.clone(),
        upgrade,
        parts,
    };
    if !args.wait || standing != Standing::Upgrade || answered.id.is_empty() {
        out.answer(|_| text(&asked), || one(None, Vec::new()))?;
        if args.wait && standing == Standing::Spooled {
            return Err(Failure::failed(no_end(&asked)));
        }
        return Ok(standing.code());
    }
    if out.format != Format::Json {
        write(&text(&asked)).map_err(|failure| watch::not_over(failure, &answered.id))?;
    }
    let ended = watch::to_the_end(&answered.id, server, out).await?;
    read_or_not(out.answer(
        |out| ended.text(out),
        || {
            let parts = ended.parts.iter().map(json::Upgrade::brief).collect();
            one(Some(json::Upgrade::brief(&ended.view)), parts)
        },
    ))?;
    Ok(ended.code())
}

/// What an answer means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// An upgrade stands for the request.
    Upgrade,
    /// It is on ingest's disk, and becomes one when NATS is back.
    Spooled,
    /// There is none, and will be none.
    Refused,
}

impl Standing {
    /// Of a decision, in one word.
    pub(crate) fn of(decision: &str) -> Standing {
        match decision {
            "accepted" | "duplicate" => Standing::Upgrade,
            "spooled" => Standing::Spooled,
            _ => Standing::Refused,
        }
    }

    fn code(self) -> ExitCode {
        match self {
            Standing::Upgrade | Standing::Spooled => ExitCode::SUCCESS,
            Standing::Refused => ExitCode::from(REFUSED),
        }
    }
}

/// Why nobody can wait for the end of what is spooled.
fn no_end(asked: &json::Asked) -> String {
    format!(
        "it is accepted and on ingest's disk, but no upgrade yet whose end could be waited for; \
         {}",
        later(asked)
    )
}

/// How to look for what is spooled.
fn later(asked: &json::Asked) -> String {
    format!(
        "it goes on by itself when NATS is back, and then `bowline why {}:{}` tells what became of \
         it",
        asked.image, asked.tag
    )
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

fn text(asked: &json::Asked) -> String {
    let said = match (&asked.reason, &asked.id) {
        (None, None) => asked.decision.clone(),
        (None, Some(id)) => format!("{}: upgrade {id}", asked.decision),
        (Some(reason), _) => format!("{}: {reason}", asked.decision),
    };
    let mut text = paragraph("", &said);
    if Standing::of(&asked.decision) == Standing::Spooled {
        text.push_str(&paragraph(
            "",
            &format!("Nothing is lost: {}.", later(asked)),
        ));
    }
    let Some(id) = &asked.id else {
        return text;
    };
    let short: String = id.chars().take(8).collect();
    text.push_str(&if asked.decision == "accepted" {
        format!("`bowline watch {short}` follows it.\n")
    } else {
        format!("`bowline status {short}` tells more about that one.\n")
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(decision: &str, reason: &str, id: &str) -> json::Asked {
        let answered = UpgradeResponse {
            decision: decision.to_owned(),
            reason: reason.to_owned(),
            id: id.to_owned(),
        };
        to_json("ghcr.io/a/b", "1.2.3", &answered)
    }

    #[test]
    fn only_what_will_not_be_done_is_refused() {
        let table = [
            ("accepted", Standing::Upgrade, ExitCode::SUCCESS),
            ("duplicate", Standing::Upgrade, ExitCode::SUCCESS),
            ("spooled", Standing::Spooled, ExitCode::SUCCESS),
            ("refused", Standing::Refused, ExitCode::from(REFUSED)),
            ("skipped", Standing::Refused, ExitCode::from(REFUSED)),
            ("", Standing::Refused, ExitCode::from(REFUSED)),
        ];
        for (decision, standing, code) in table {
            assert_eq!(Standing::of(decision), standing, "{decision}");
            assert_eq!(standing.code(), code, "{decision}");
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
            answered(
                "spooled",
                "NATS did not take it within 5s; it is kept on disk and goes on when NATS is back",
                "",
            ),
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
        ---
        spooled: NATS did not take it within 5s; it is kept on disk and goes on when NATS is back
        Nothing is lost: it goes on by itself when NATS is back, and then `bowline why ghcr.io/a/b:1.2.3`
        tells what became of it.
        ");
    }
}
