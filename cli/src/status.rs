//! `bowline status`: one upgrade with everything that happened to it.

use std::process::ExitCode;

use wire::v1::{GetRequest, UpgradeView};

use crate::failure::Outcome;
use crate::output::{Out, Table, or_dash, paragraph};
use crate::remote::{Effect, Server};
use crate::{json, phase};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Its id, or the beginning of it.
    id: String,
}

pub(crate) async fn run(args: Args, server: &Server, out: &Out) -> Outcome {
    let request = GetRequest {
        id_or_prefix: args.id,
    };
    let mut remote = server.connect().await?;
    let view = remote
        .ask(Effect::Reads, async |client| client.get(request).await)
        .await?;
    out.answer(|out| text(&view, out), || json::Upgrade::full(&view))?;
    Ok(ExitCode::SUCCESS)
}

/// The screen.
fn text(view: &UpgradeView, out: &Out) -> String {
    let mut text = format!("{}\n\n", title(view));
    text.push_str(&details(view, out));
    if view.archived {
        text.push_str("\nIts facts were archived: only the summary is left.\n");
    } else {
        text.push('\n');
        text.push_str(&facts(view, out));
    }
    let help = help(view);
    if !help.is_empty() {
        text.push('\n');
        text.push_str(&paragraph("", &help));
    }
    text
}

/// What moves, from where to where.
pub(crate) fn title(view: &UpgradeView) -> String {
    format!("{}  {}", what(view), versions(view))
}

/// The service, or the image's last part before it is known.
pub(crate) fn what(view: &UpgradeView) -> String {
    let image = view.image.rsplit('/').next().unwrap_or_default();
    or_dash(if view.service.is_empty() {
        image
    } else {
        &view.service
    })
}

/// From where to where.
pub(crate) fn versions(view: &UpgradeView) -> String {
    if view.from.is_empty() {
        format!("-> {}", or_dash(&view.to))
    } else {
        format!("{} -> {}", or_dash(&view.from), or_dash(&view.to))
    }
}

/// Label and value, one pair a line.
pub(crate) fn details(view: &UpgradeView, out: &Out) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&paragraph(&format!("  {label:<8}  "), value));
        }
    };
    line("id", &view.id);
    line("state", &state(view, out));
    line("trouble", &trouble(view, out));
    line("reason", &view.reason);
    line("undo for", cause(view));
    line("pending", &pending(view));
    line("image", &view.image);
    line("live", &view.live);
    line("risk", &view.risk);
    if view.steps > 1 {
        line("step", &format!("{} of {}", view.step, view.steps));
    }
    line("asked by", &asked(view, out));
    line("retry of", &view.retry_of);
    line("parts", &view.split_into.join(" "));
    text
}

fn state(view: &UpgradeView, out: &Out) -> String {
    let (words, ago) = (phase::words(&view.phase), out.ago(view.since_ms));
    let mut state = if phase::is_over(&view.phase) {
        format!("{words}, {ago} ago")
    } else {
        format!("{words} since {ago}")
    };
    if !view.waiting_for.is_empty() {
        state.push_str(&format!("; waits for {}", view.waiting_for));
    }
    if !matches!(view.owner.as_str(), "" | "none") {
        state.push_str(&format!("; next is {}", view.owner));
    }
    state
}

/// Why it does not go on, and when that is tried again.
fn trouble(view: &UpgradeView, out: &Out) -> String {
    view.trouble.as_ref().map_or(String::new(), |trouble| {
        let when = out.left(trouble.again_ms);
        format!("{}; it is tried again {when}", trouble.why)
    })
}

/// Why it had to be taken back, if it had.
fn cause(view: &UpgradeView) -> &str {
    let mut newest = view.facts.iter().rev();
    newest
        .find(|fact| fact.name == "rollback_requested")
        .map_or("", |fact| &fact.text)
}

fn pending(view: &UpgradeView) -> String {
    if view.pending.is_empty() {
        return String::new();
    }
    format!("{}, which is not answered yet", view.pending)
}

fn asked(view: &UpgradeView, out: &Out) -> String {
    let by = or_dash(&view.requested_by);
    if view.started_ms == 0 {
        return by;
    }
    format!("{by}, {} ago", out.ago(view.started_ms))
}

fn facts(view: &UpgradeView, out: &Out) -> String {
    let time = format!("TIME ({})", out.zone_name());
    let mut table = Table::new(&["#", &time, "FACT", "WHAT"]);
    for fact in &view.facts {
        table.row([
            fact.n.to_string(),
            out.local(fact.at_ms, "%F %T"),
            phase::fact(&fact.name),
            fact.text.clone(),
        ]);
    }
    table.text()
}

/// What a person can do now, where nothing goes on without one.
fn help(view: &UpgradeView) -> String {
    let id: String = view.id.chars().take(8).collect();
    match view.phase.as_str() {
        "Stuck" | "Parked" => format!(
            "Its service stays closed until a person acts: `bowline retry {id}` goes on where it \
             stopped; `bowline resolve {id} --now-at TAG` ends it, with the version that you saw \
             live."
        ),
        "AwaitingApproval" => {
            format!("`bowline approve {id}` lets it go on; `bowline cancel {id}` ends it.")
        }
        "Held" => "`bowline limits show` tells when the next window begins.".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixed;
    use crate::sample;

    #[test]
    fn one_that_is_watched() {
        insta::assert_snapshot!(text(&sample::watching(), &fixed()), @r"
        linkwarden  v2.9.1 -> v2.10.1

          id        1f3a9c0211223344
          state     watching since 3 min; waits for the health window; next is verifier
          image     ghcr.io/linkwarden/linkwarden
          live      v2.9.2
          risk      CAUTION
          step      2 of 4
          asked by  DIUN, 40 min ago

        #  TIME (UTC)           FACT           WHAT
        1  2026-11-23 13:20:00  requested      ghcr.io/linkwarden/linkwarden:v2.10.1
        2  2026-11-23 13:20:01  admitted
        3  2026-11-23 13:20:10  planned        linkwarden v2.9.1 -> v2.10.1, CAUTION, 4 step(s)
        4  2026-11-23 13:41:40  verified       ghcr.io/linkwarden/linkwarden:v2.9.2 is live in
                                               linkwarden/Deployment/linkwarden, its pods are ready, and
                                               https://links.example.org answered 200 for 10 min
        5  2026-11-23 13:56:50  healthy since
        ");
    }

    #[test]
    fn one_that_is_stuck() {
        insta::assert_snapshot!(text(&sample::stuck(), &fixed()), @r"
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

        #  TIME (UTC)           FACT                WHAT
        6  2026-11-22 11:00:00  rollback requested  Unhealthy: linkwarden/Deployment/linkwarden: pod
                                                    linkwarden-5c9d: CrashLoopBackOff
        9  2026-11-22 12:00:00  stuck               the old version is not healthy

        Its service stays closed until a person acts: `bowline retry 1f3a9c02` goes on where it stopped;
        `bowline resolve 1f3a9c02 --now-at TAG` ends it, with the version that you saw live.
        ");
    }

    #[test]
    fn one_that_was_just_asked_for() {
        insta::assert_snapshot!(text(&sample::requested(), &fixed()), @r"
        dawarich  -> 1.6.1

          id        77c0ffee00112233
          state     requested since 4 s; next is ingest
          image     docker.io/freikin/dawarich
          asked by  DIUN entry, 4 s ago

        #  TIME (UTC)           FACT       WHAT
        1  2026-11-23 13:59:56  requested  docker.io/freikin/dawarich:1.6.1
        ");
    }

    #[test]
    fn one_that_a_limit_delays() {
        insta::assert_snapshot!(details(&sample::limited(), &fixed()), @r"
          id        77c0ffee00112233
          state     admitted since 25 min; next is analyzer
          trouble   the notes of Freika/dawarich: https://api.github.com/ has limited us, and is not asked
                    until that is over; it is tried again in 36 min
          image     docker.io/freikin/dawarich
          asked by  DIUN entry, 4 s ago
        ");
    }

    #[test]
    fn one_that_is_archived() {
        let view = UpgradeView {
            archived: true,
            facts: Vec::new(),
            ..sample::succeeded()
        };
        insta::assert_snapshot!(text(&view, &fixed()), @r"
        url  4.3.4 -> 5.0.2

          id        5ca1ab1e5ca1ab1e
          state     succeeded, 3 d ago
          reason    docker.io/shlinkio/shlink:5.0.2 is live and was healthy for 10 min
          image     docker.io/shlinkio/shlink
          live      5.0.2
          risk      CAUTION
          asked by  vera, 3 d ago

        Its facts were archived: only the summary is left.
        ");
    }

    #[test]
    fn json_has_all_of_it() {
        let json = serde_json::to_string_pretty(&json::Upgrade::full(&sample::watching()));
        insta::assert_snapshot!(json.expect("JSON"), @r#"
        {
          "id": "1f3a9c0211223344",
          "service": "linkwarden",
          "image": "ghcr.io/linkwarden/linkwarden",
          "from": "v2.9.1",
          "to": "v2.10.1",
          "live": "v2.9.2",
          "phase": "watching",
          "over": false,
          "owner": "verifier",
          "risk": "CAUTION",
          "step": 2,
          "steps": 4,
          "reason": null,
          "waiting_for": "the health window",
          "trouble": null,
          "pending": null,
          "started": "2026-11-23T13:20:00Z",
          "since": "2026-11-23T13:56:50Z",
          "requested_by": "DIUN",
          "retry_of": null,
          "archived": false,
          "split_into": [],
          "facts": [
            {
              "n": 1,
              "name": "requested",
              "at": "2026-11-23T13:20:00Z",
              "next": "ingest",
              "text": "ghcr.io/linkwarden/linkwarden:v2.10.1"
            },
            {
              "n": 2,
              "name": "admitted",
              "at": "2026-11-23T13:20:01Z",
              "next": "analyzer",
              "text": null
            },
            {
              "n": 3,
              "name": "planned",
              "at": "2026-11-23T13:20:10Z",
              "next": "executor",
              "text": "linkwarden v2.9.1 -> v2.10.1, CAUTION, 4 step(s)"
            },
            {
              "n": 4,
              "name": "verified",
              "at": "2026-11-23T13:41:40Z",
              "next": "executor",
              "text": "ghcr.io/linkwarden/linkwarden:v2.9.2 is live in linkwarden/Deployment/linkwarden, its pods are ready, and https://links.example.org answered 200 for 10 min"
            },
            {
              "n": 5,
              "name": "healthy_since",
              "at": "2026-11-23T13:56:50Z",
              "next": "verifier",
              "text": null
            }
          ]
        }
        "#);
    }
}
