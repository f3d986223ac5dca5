//! `bowline why`: what became of webhooks and requests.

use std::process::ExitCode;

use wire::v1::{Intake, WhyRequest};

use crate::failure::Outcome;
use crate::json;
use crate::output::{Out, or_dash, paragraph, short_ids};
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
    let intakes = remote
        .ask(Effect::Reads, async |client| client.why(request).await)
        .await?
        .intakes;
    out.answer(
        |out| text(&intakes, args.about.as_deref(), out),
        || intakes.iter().map(json::Why::new).collect::<Vec<_>>(),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn text(intakes: &[Intake], about: Option<&str>, out: &Out) -> String {
    if intakes.is_empty() {
        return match about {
            Some(about) => format!(
                "Nothing was received about `{about}`. If DIUN should have announced it, look at \
                 DIUN's log:\nit posts each tag once.\n"
            ),
            None => "Nothing was received yet.\n".to_owned(),
        };
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
    use super::*;
    use crate::output::fixed;
    use crate::sample;

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
        insta::assert_snapshot!(text(&all, None, &fixed()), @r"
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
    fn nothing_received_says_where_to_look() {
        assert!(text(&[], Some("immich"), &fixed()).contains("DIUN's log"));
        assert_eq!(text(&[], None, &fixed()), "Nothing was received yet.\n");
    }
}
