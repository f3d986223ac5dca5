//! `bowline limits`: the rate window, to see and to change.

use std::process::ExitCode;
use std::time::Duration;

use wire::v1::{GetLimitsRequest, LimitsView, ResetLimitsRequest, SetLimitsRequest};

use crate::failure::Outcome;
use crate::json;
use crate::output::{self, Out, paragraph, short_ids, span};
use crate::remote::{Asker, Client, Effect, Server};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Shows the limits, who has a place and who waits for one.
    Show,
    /// Changes the limits until the configuration is asked for again (--configured).
    Set(SetArgs),
    /// Begins a new window: everyone who waits moves up as far as there are places.
    Reset {
        #[command(flatten)]
        asker: Asker,
    },
}

#[derive(clap::Args)]
pub(crate) struct SetArgs {
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    asker: Asker,
}

#[derive(clap::Args)]
#[group(required = true, multiple = true)]
struct Wanted {
    /// So many upgrades in one window.
    #[arg(long, value_name = "N")]
    max: Option<u32>,
    /// How long a window is, such as `6h`.
    #[arg(long, value_name = "DURATION", value_parser = output::duration)]
    window: Option<Duration>,
    /// Back to what the configuration says.
    #[arg(long, conflicts_with_all = ["max", "window"])]
    configured: bool,
}

const SET: &str = "The limits are changed; whoever has a place with them is let in now.\n\n";
const RESET: &str =
    "A new window has begun; whoever waited is let in as far as there are places.\n\n";

pub(crate) async fn run(command: Command, server: &Server, out: &Out) -> Outcome {
    let mut remote = server.connect().await?;
    let (head, view) = match command {
        Command::Show => {
            let request = GetLimitsRequest {};
            let ask = async |client: &mut Client| client.get_limits(request).await;
            ("", remote.ask(Effect::Reads, ask).await?)
        }
        Command::Set(args) => {
            let request = SetLimitsRequest {
                max: args.wanted.max,
                window_seconds: args.wanted.window.map(|window| window.as_secs().max(1)),
                configured: args.wanted.configured,
                by: args.asker.by,
            };
            let ask = async |client: &mut Client| client.set_limits(request).await;
            (SET, remote.ask(Effect::Changes, ask).await?)
        }
        Command::Reset { asker } => {
            let request = ResetLimitsRequest { by: asker.by };
            let ask = async |client: &mut Client| client.reset_limits(request).await;
            (RESET, remote.ask(Effect::Changes, ask).await?)
        }
    };
    out.answer(
        |out| format!("{head}{}", text(&view, out)),
        || json::Limits::new(&view),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// When the open window ends, in milliseconds since the Unix epoch.
pub(crate) fn ends_ms(view: &LimitsView) -> Option<i64> {
    let length = i64::try_from(view.window_seconds)
        .ok()?
        .checked_mul(1_000)?;
    if view.window_started_ms == 0 {
        return None;
    }
    view.window_started_ms.checked_add(length)
}

/// The limits in a few words: `5 upgrades in 6 h`.
pub(crate) fn in_words(view: &LimitsView) -> String {
    let plural = if view.max == 1 { "" } else { "s" };
    let length = span(i64::try_from(view.window_seconds).unwrap_or(i64::MAX));
    format!("{} upgrade{plural} in {length}", view.max)
}

fn text(view: &LimitsView, out: &Out) -> String {
    let from = if view.overridden {
        "set by a person (`bowline limits set --configured` goes back to the configuration)"
    } else {
        "as configured"
    };
    let mut text = paragraph("limit     ", &format!("{}, {from}", in_words(view)));
    text.push_str(&paragraph("window    ", &window(view, out)));
    text.push_str(&paragraph(
        "places    ",
        &format!("{} of {} taken", view.admitted.len(), view.max),
    ));
    let all: Vec<&str> = view
        .admitted
        .iter()
        .chain(&view.held)
        .map(String::as_str)
        .collect();
    let short = short_ids(&all);
    let (admitted, held) = short.split_at(view.admitted.len());
    for (label, ids) in [("admitted  ", admitted), ("waiting   ", held)] {
        let ids = if ids.is_empty() {
            "nobody".to_owned()
        } else {
            ids.join(" ")
        };
        text.push_str(&paragraph(label, &ids));
    }
    text
}

fn window(view: &LimitsView, out: &Out) -> String {
    let now = out.now.as_millisecond();
    match ends_ms(view) {
        Some(ends) if ends > now => format!(
            "began {} ago, ends in {} ({})",
            out.ago(view.window_started_ms),
            span((ends - now) / 1_000),
            out.local(ends, "%F %R %Z")
        ),
        Some(_) | None => "none is open; the next upgrade begins one".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixed;
    use crate::sample;

    fn view() -> LimitsView {
        LimitsView {
            max: 5,
            window_seconds: 21_600,
            overridden: false,
            window_started_ms: sample::ago(7_500),
            admitted: (0..5).map(|n| format!("{n}123456789abcdef")).collect(),
            held: vec!["99aa00bb11cc22dd".to_owned()],
            shortest_seconds: None,
        }
    }

    #[test]
    fn a_window_that_is_full() {
        insta::assert_snapshot!(text(&view(), &fixed()), @r"
        limit     5 upgrades in 6 h, as configured
        window    began 2 h 5 min ago, ends in 3 h 55 min (2026-11-23 17:55 UTC)
        places    5 of 5 taken
        admitted  01234567 11234567 21234567 31234567 41234567
        waiting   99aa00bb
        ");
    }

    #[test]
    fn limits_that_a_person_set_and_no_window() {
        let view = LimitsView {
            max: 50,
            overridden: true,
            window_started_ms: 0,
            admitted: Vec::new(),
            held: Vec::new(),
            ..view()
        };
        insta::assert_snapshot!(text(&view, &fixed()), @r"
        limit     50 upgrades in 6 h, set by a person (`bowline limits set --configured` goes back to the
                  configuration)
        window    none is open; the next upgrade begins one
        places    0 of 50 taken
        admitted  nobody
        waiting   nobody
        ");
    }

    #[test]
    fn a_window_that_is_over_is_none() {
        let view = LimitsView {
            window_started_ms: sample::ago(21_601),
            ..view()
        };
        assert!(text(&view, &fixed()).contains("none is open"));
    }
}
