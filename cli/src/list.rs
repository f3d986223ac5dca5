//! `bowline list`: the upgrades, the newest first.

use std::process::ExitCode;
use std::time::Duration;

use jiff::SignedDuration;
use wire::v1::{ListRequest, UpgradeView};

use crate::failure::{Failure, Outcome};
use crate::output::{self, Out, Table, or_dash, short_ids};
use crate::remote::{Effect, Remote, Server};
use crate::status::{versions, what};
use crate::{json, phase};

/// So many are asked for at once.
const PAGE: u32 = 200;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Of this service alone.
    #[arg(long)]
    service: Option<String>,
    /// In this phase; may be given several times. A phase of an end implies --all.
    #[arg(long, value_parser = phase::parse)]
    phase: Vec<String>,
    /// Of images whose name contains this.
    #[arg(long)]
    image: Option<String>,
    /// Begun within this time, such as `2d`.
    #[arg(long, value_name = "DURATION", value_parser = output::duration)]
    since: Option<Duration>,
    /// Also those that are over.
    #[arg(long)]
    all: bool,
    /// At most so many; else all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

pub(crate) async fn run(args: Args, server: &Server, out: &Out) -> Outcome {
    let request = request(&args, out);
    let mut remote = server.connect().await?;
    let upgrades = pages(&mut remote, request, args.limit).await?;
    out.answer(
        |out| text(&upgrades, &args, out),
        || {
            upgrades
                .iter()
                .map(json::Upgrade::brief)
                .collect::<Vec<_>>()
        },
    )?;
    Ok(ExitCode::SUCCESS)
}

fn request(args: &Args, out: &Out) -> ListRequest {
    let since = args.since.map_or(0, |since| {
        let since = SignedDuration::try_from(since).unwrap_or(SignedDuration::MAX);
        out.now
            .checked_sub(since)
            .map_or(0, jiff::Timestamp::as_millisecond)
            .max(0)
    });
    ListRequest {
        include_ended: args.all,
        limit: PAGE,
        service: args.service.clone().unwrap_or_default(),
        phases: args.phase.clone(),
        image: args.image.clone().unwrap_or_default(),
        since_ms: since,
        page_token: String::new(),
    }
}

/// One page after the other, until there are enough.
async fn pages(
    remote: &mut Remote,
    mut request: ListRequest,
    limit: Option<u32>,
) -> Result<Vec<UpgradeView>, Failure> {
    let wanted = limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    let mut upgrades = Vec::new();
    loop {
        let left = u32::try_from(wanted - upgrades.len()).unwrap_or(PAGE);
        request.limit = left.min(PAGE);
        let page = request.clone();
        let answered = remote
            .ask(Effect::Reads, async |client| client.list(page).await)
            .await?;
        upgrades.extend(answered.upgrades);
        if upgrades.len() >= wanted || answered.next_page_token.is_empty() {
            upgrades.truncate(wanted);
            return Ok(upgrades);
        }
        if answered.next_page_token == request.page_token {
            return Err(Failure::failed(
                "the server repeats one page of the list for ever",
            ));
        }
        request.page_token = answered.next_page_token;
    }
}

fn text(upgrades: &[UpgradeView], args: &Args, out: &Out) -> String {
    if upgrades.is_empty() {
        return nothing(args);
    }
    let ids: Vec<&str> = upgrades.iter().map(|view| view.id.as_str()).collect();
    let mut table = Table::new(&[
        "ID",
        "SERVICE",
        "VERSION",
        "RISK",
        "STATE",
        "WAITS FOR",
        "SINCE",
    ]);
    for (view, id) in upgrades.iter().zip(short_ids(&ids)) {
        table.row([
            id,
            what(view),
            versions(view),
            or_dash(&view.risk),
            state(view),
            or_dash(&view.waiting_for),
            out.ago(view.since_ms),
        ]);
    }
    table.text()
}

fn nothing(args: &Args) -> String {
    let filtered = args.service.is_some() || args.image.is_some() || args.since.is_some();
    match (filtered || !args.phase.is_empty(), args.all) {
        (true, true) => "No upgrade is like this.\n",
        (true, false) => {
            "No upgrade under way is like this. --all also lists those that are over.\n"
        }
        (false, true) => "There was no upgrade yet.\n",
        (false, false) => "No upgrade is under way. --all lists those that are over.\n",
    }
    .to_owned()
}

fn state(view: &UpgradeView) -> String {
    let mut state = phase::words(&view.phase);
    if view.steps > 1 && !phase::is_over(&view.phase) {
        state.push_str(&format!(" {}/{}", view.step, view.steps));
    }
    if !view.pending.is_empty() {
        state.push_str(&format!(", {} asked", view.pending));
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixed;
    use crate::sample;

    fn args() -> Args {
        Args {
            service: None,
            phase: Vec::new(),
            image: None,
            since: None,
            all: false,
            limit: None,
        }
    }

    #[test]
    fn one_line_each() {
        let all = [
            sample::requested(),
            sample::watching(),
            sample::held(),
            sample::stuck(),
            sample::succeeded(),
        ];
        insta::assert_snapshot!(text(&all, &args(), &fixed()), @r"
        ID        SERVICE        VERSION            RISK     STATE              WAITS FOR          SINCE
        77c0ffee  dawarich       -> 1.6.1           -        requested          -                  4 s
        1f3a9c02  linkwarden     v2.9.1 -> v2.10.1  CAUTION  watching 2/4       the health window  3 min
        99aa00bb  paperless-ngx  -> 2.20.14         -        held               the rate window    2 h 5 min
        1f3a9c02  linkwarden     v2.9.1 -> v2.10.1  CAUTION  stuck 2/4, retry   a person           1 d 2 h
                                                             asked
        5ca1ab1e  url            4.3.4 -> 5.0.2     CAUTION  succeeded          -                  3 d
        ");
    }

    #[test]
    fn long_names_wrap_and_nothing_is_wider_than_the_screen() {
        let long = UpgradeView {
            service: "a-service-with-quite-a-long-name".to_owned(),
            from: "version-2024.10.12-alpine3.19".to_owned(),
            to: "version-2025.01.31-alpine3.20".to_owned(),
            ..sample::stuck()
        };
        let text = text(&[long, sample::held()], &args(), &fixed());
        insta::assert_snapshot!(text, @r"
        ID        SERVICE            VERSION           RISK     STATE             WAITS FOR        SINCE
        1f3a9c02  a-service-with-qu  version-2024.10.  CAUTION  stuck 2/4, retry  a person         1 d 2 h
                  ite-a-long-name    12-alpine3.19 ->           asked
                                     version-2025.01.
                                     31-alpine3.20
        99aa00bb  paperless-ngx      -> 2.20.14        -        held              the rate window  2 h 5 min
        ");
        assert!(
            text.lines()
                .all(|line| line.chars().count() <= output::WIDTH)
        );
    }

    #[test]
    fn nothing_found_says_where_else_to_look() {
        let filtered = |all| Args {
            service: Some("x".to_owned()),
            all,
            ..args()
        };
        assert!(nothing(&args()).contains("--all"));
        assert!(nothing(&filtered(false)).contains("--all"));
        assert!(!nothing(&filtered(true)).contains("--all"));
    }

    #[test]
    fn since_is_a_time_before_now_and_never_before_the_epoch() {
        let since = |days: u64| {
            let args = Args {
                since: Some(Duration::from_secs(days * 86_400)),
                ..args()
            };
            request(&args, &fixed()).since_ms
        };
        assert_eq!(since(2), sample::ago(2 * 86_400));
        assert_eq!(since(1_000_000), 0);
        assert_eq!(request(&args(), &fixed()).since_ms, 0);
    }
}
