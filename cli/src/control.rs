//! `bowline approve`, `cancel`, `retry`, `rollback`, `resolve`: what people want of one upgrade.

use std::process::ExitCode;

use wire::v1::{ControlRequest, ControlResponse, ResolveRequest};

use crate::failure::Outcome;
use crate::json;
use crate::output::{Out, paragraph};
use crate::remote::{Asker, Effect, Server};
use crate::status;

/// One of the wishes that say nothing but whose and for which upgrade.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wish {
    Approve,
    Cancel,
    Retry,
    Rollback,
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The upgrade's id, or the beginning of it.
    id: String,
    #[command(flatten)]
    asker: Asker,
}

#[derive(clap::Args)]
pub(crate) struct ResolveArgs {
    /// The upgrade's id, or the beginning of it.
    id: String,
    /// The version that is live now, as you saw it.
    #[arg(long, value_name = "TAG")]
    now_at: String,
    #[command(flatten)]
    asker: Asker,
}

pub(crate) async fn run(wish: Wish, args: Args, server: &Server, out: &Out) -> Outcome {
    let request = ControlRequest {
        id_or_prefix: args.id,
        by: args.asker.by,
    };
    let mut remote = server.connect().await?;
    let answered = remote
        .ask(Effect::Changes, async |client| match wish {
            Wish::Approve => client.approve(request).await,
            Wish::Cancel => client.cancel(request).await,
            Wish::Retry => client.retry(request).await,
            Wish::Rollback => client.rollback(request).await,
        })
        .await?;
    answer(&answered, out)
}

pub(crate) async fn resolve(args: ResolveArgs, server: &Server, out: &Out) -> Outcome {
    let request = ResolveRequest {
        id_or_prefix: args.id,
        by: args.asker.by,
        now_at: args.now_at,
    };
    let mut remote = server.connect().await?;
    let answered = remote
        .ask(Effect::Changes, async |client| {
            client.resolve(request).await
        })
        .await?;
    answer(&answered, out)
}

fn answer(answered: &ControlResponse, out: &Out) -> Outcome {
    out.answer(
        |out| text(answered, out),
        || json::Control {
            message: answered.message.clone(),
            upgrade: answered.upgrade.as_ref().map(json::Upgrade::brief),
        },
    )?;
    Ok(ExitCode::SUCCESS)
}

fn text(answered: &ControlResponse, out: &Out) -> String {
    let mut text = paragraph("", &answered.message);
    if let Some(view) = &answered.upgrade {
        text.push_str(&format!("\n{}\n\n", status::title(view)));
        text.push_str(&status::details(view, out));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixed;
    use crate::sample;

    #[test]
    fn the_answer_says_what_happens_now() {
        let answered = ControlResponse {
            upgrade: Some(sample::stuck()),
            message: "The executor goes on where it stopped; follow it with `bowline watch \
                      1f3a9c02`."
                .to_owned(),
        };
        insta::assert_snapshot!(text(&answered, &fixed()), @r"
        The executor goes on where it stopped; follow it with `bowline watch 1f3a9c02`.

        linkwarden  v2.9.1 -> v2.10.1

          id        1f3a9c0211223344
          state     stuck since 1 d 2 h; waits for a person
          reason    the undo was pushed, and the old version is not healthy: Deployment
                    linkwarden/linkwarden has 0 of 1 pods ready for 12 min (linkwarden-5c9d:
                    CrashLoopBackOff, exit code 1, 7 restarts)
          undo for  Unhealthy: linkwarden/Deployment/linkwarden: pod linkwarden-5c9d: CrashLoopBackOff
          pending   retry, which is not answered yet
          image     ghcr.io/linkwarden/linkwarden
          live      v2.9.2
          risk      CAUTION
          step      2 of 4
          asked by  DIUN, 1 d 3 h ago
          retry of  0011223344556677
        ");
    }
}
