//! `bowline pause`, `resume`, `pauses`: keeping upgrades from starting.

use std::process::ExitCode;

use wire::v1::{ListPausesRequest, PauseRequest, PauseView};

use crate::failure::Outcome;
use crate::json;
use crate::output::{Out, Table, note, or_dash, plain};
use crate::remote::{Asker, Effect, Server};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    scope: Scope,
    /// Shown to whoever wonders.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    why: String,
    #[command(flatten)]
    asker: Asker,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Scope {
    /// This service alone.
    #[arg(long)]
    service: Option<String>,
    /// The repository that this Bowline works on.
    #[arg(long)]
    repository: bool,
    /// Everything.
    #[arg(long)]
    all: bool,
}

impl Args {
    fn request(self) -> PauseRequest {
        PauseRequest {
            service: self.scope.service.unwrap_or_default(),
            repository: self.scope.repository,
            by: self.asker.by,
            why: self.why,
        }
    }
}

pub(crate) async fn pause(args: Args, server: &Server, out: &Out) -> Outcome {
    let request = args.request();
    let mut remote = server.connect().await?;
    let answered = remote
        .ask(Effect::Changes, async |client| client.pause(request).await)
        .await?;
    let head = "Paused. What is pushed already is watched to its end, and an undo never waits.\n\n";
    let outcome = answer(head, &answered.pauses, out);
    if !answered.warning.is_empty() {
        note(&plain(&answered.warning));
    }
    outcome
}

pub(crate) async fn resume(args: Args, server: &Server, out: &Out) -> Outcome {
    let request = args.request();
    let mut remote = server.connect().await?;
    let answered = remote
        .ask(Effect::Changes, async |client| client.resume(request).await)
        .await?;
    let head = match answered.pauses.as_slice() {
        [] => "Resumed. ",
        _ => "Resumed. These pauses are still in force:\n\n",
    };
    answer(head, &answered.pauses, out)
}

pub(crate) async fn list(server: &Server, out: &Out) -> Outcome {
    let mut remote = server.connect().await?;
    let answered = remote
        .ask(Effect::Reads, async |client| {
            client.list_pauses(ListPausesRequest {}).await
        })
        .await?;
    answer("", &answered.pauses, out)
}

fn answer(head: &str, pauses: &[PauseView], out: &Out) -> Outcome {
    out.answer(
        |out| format!("{head}{}", text(pauses, out)),
        || pauses.iter().map(json::Pause::new).collect::<Vec<_>>(),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn text(pauses: &[PauseView], out: &Out) -> String {
    if pauses.is_empty() {
        return "Nothing is paused.\n".to_owned();
    }
    let mut table = Table::new(&["PAUSED", "FOR", "BY", "WHY"]);
    for pause in pauses {
        table.row([
            pause.scope.clone(),
            out.ago(pause.at_ms),
            or_dash(&pause.by),
            or_dash(&pause.why),
        ]);
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixed;
    use crate::sample;

    #[test]
    fn every_pause_with_whose_and_why() {
        let pause = |scope: &str, seconds, why: &str| PauseView {
            scope: scope.to_owned(),
            by: "vera".to_owned(),
            why: why.to_owned(),
            at_ms: sample::ago(seconds),
        };
        let pauses = [
            pause("all", 40, ""),
            pause(
                "service immich",
                400_000,
                "the photo import runs until Sunday, and its machine learning must not restart \
                 before it is through",
            ),
        ];
        insta::assert_snapshot!(text(&pauses, &fixed()), @r"
        PAUSED          FOR       BY    WHY
        all             40 s      vera  -
        service immich  4 d 15 h  vera  the photo import runs until Sunday, and its machine learning must
                                        not restart before it is through
        ");
        assert_eq!(text(&[], &fixed()), "Nothing is paused.\n");
    }
}
