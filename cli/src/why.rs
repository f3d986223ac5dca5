//! `bowline why`: what became of webhooks and requests.

use std::process::ExitCode;

use wire::v1::{WhyRequest, WhyResponse};

use crate::failure::Outcome;
use crate::json;
use crate::output::{Format, Out, note, or_dash, paragraph, short_ids};
use crate::remote::{Effect, Server};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Part of an image's name (with tag), or an upgrade's id; else everything that was received.
    #[arg(value_name = "IMAGE|ID")]
    about: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

pub(crate) async fn run(args: Args, server: &Server, out: &Out) -> Outcome {
    let request = WhyRequest {
        about: args.about.clone().unwrap_or_default(),
        limit: args.limit,
    };
    let mut remote = server.connect().await?;
    let answered = remote
        .ask(Effect::Reads, async |client| client.why(request).await)
        .await?;
    let about = args.about.as_deref();
    let intakes = || answered.intakes.iter().map(json::Why::new);
    out.answer(
        |out| text(&answered, about, out),
        || intakes().collect::<Vec<_>>(),
    )?;
    if out.format == Format::Json && answered.intakes.is_empty() {
        note(&nothing(&answered, about, out));
    }
    Ok(ExitCode::SUCCESS)
}

/// That nothing was found, and where it was looked for.
fn nothing(answered: &WhyResponse, about: Option<&str>, out: &Out) -> String {
    let about = about.map_or_else(String::new, |about| format!(" about `{about}`"));
    // An older ingest does not say.
    let since = match answered.since_ms {
        0 => String::new(),
        since_ms => format!(
            " since {}, among {} decisions",
            out.local(since_ms, "%F %R %Z"),
            answered.searched
        ),
    };
    format!("nothing was received{about}{since}")
}

fn text(answered: &WhyResponse, about: Option<&str>, out: &Out) -> String {
    let intakes = &answered.intakes;
    if intakes.is_empty() {
        let nothing = nothing(answered, about, out).replacen('n', "N", 1);
        let hint = match about {
            Some(_) => {
                " Older decisions are not looked at. If DIUN should have announced it, look at \
                 DIUN's log: it posts each tag once."
            }
            None => "",
        };
        return paragraph("", &format!("{nothing}.{hint}"));
    }
    let ids: Vec<&str> = intakes.iter().map(|intake| intake.id.as_str()).collect();
    let mut text = String::new();
    for (intake, id) in intakes.iter().zip(short_ids(&ids)) {
        let mut head = format!(
            "{:<15}  {:<9}  {}",
            format!("{} ago", out.ago(intake.at_ms)),
            or_dash(&intake.decision),
            or_dash(&intake.image)
        );
        for (word, value) in [("status", &intake.status), ("upgrade", &id)] {
            if !value.is_empty() {
                head.push_str(&format!("  {word} {}", or_dash(value)));
            }
        }
        text.push_str(&head);
        text.push('\n');
        text.push_str(&paragraph(&" ".repeat(17), &intake.reason));
    }
    text
}

#[cfg(test)]
mod tests {
    use wire::v1::Intake;

    use super::*;
    use crate::output::fixed;
    use crate::sample;

    fn answered(intakes: &[Intake]) -> WhyResponse {
        WhyResponse {
            intakes: intakes.to_vec(),
            since_ms: sample::ago(86_400),
            searched: 1_000,
        }
    }

    fn intake(seconds: i64, image: &str, status: &str, decision: &str) -> Intake {
        Intake {
            at_ms: sample::ago(seconds),
            image: image.to_owned(),
            status: status.to_owned(),
            decision: decision.to_owned(),
            ..Intake::default()
        }
    }

    #[test]
    fn each_with_its_reason() {
        let all = [
            Intake {
                id: "1f3a9c0211223344".to_owned(),
                ..intake(
                    45,
                    "ghcr.io/linkwarden/linkwarden:v2.10.1",
                    "new",
                    "accepted",
                )
            },
            Intake {
                id: "5ca1ab1e5ca1ab1e".to_owned(),
                reason: "upgrade 5ca1ab1e5ca1ab1e to this version was rolled back; if it is to be \
                         tried again, ask for it with `bowline upgrade`"
                    .to_owned(),
                ..intake(7_500, "docker.io/shlinkio/shlink:5.0.2", "new", "refused")
            },
            Intake {
                reason: "`*postgres*` is on the skip list".to_owned(),
                ..intake(90_000, "docker.io/library/postgres:17.2", "new", "skipped")
            },
            Intake {
                reason: "the body is no JSON: expected value at line 1 column 1".to_owned(),
                ..intake(400_000, "", "", "refused")
            },
        ];
        insta::assert_snapshot!(text(&answered(&all), None, &fixed()), @r"
        45 s ago         accepted   ghcr.io/linkwarden/linkwarden:v2.10.1  status new  upgrade 1f3a9c02
        2 h 5 min ago    refused    docker.io/shlinkio/shlink:5.0.2  status new  upgrade 5ca1ab1e
                         upgrade 5ca1ab1e5ca1ab1e to this version was rolled back; if it is to be tried
                         again, ask for it with `bowline upgrade`
        1 d 1 h ago      skipped    docker.io/library/postgres:17.2  status new
                         `*postgres*` is on the skip list
        4 d 15 h ago     refused    -
                         the body is no JSON: expected value at line 1 column 1
        ");
    }

    #[test]
    fn nothing_received_says_where_it_was_looked_and_where_to_look() {
        let texts = [
            text(&answered(&[]), Some("immich"), &fixed()),
            text(&answered(&[]), None, &fixed()),
            text(&WhyResponse::default(), Some("immich"), &fixed()),
        ];
        insta::assert_snapshot!(texts.join("---\n"), @r"
        Nothing was received about `immich` since 2026-11-22 14:00 UTC, among 1000 decisions. Older
        decisions are not looked at. If DIUN should have announced it, look at DIUN's log: it posts each tag
        once.
        ---
        Nothing was received since 2026-11-22 14:00 UTC, among 1000 decisions.
        ---
        Nothing was received about `immich`. Older decisions are not looked at. If DIUN should have
        announced it, look at DIUN's log: it posts each tag once.
        ");
    }
}
