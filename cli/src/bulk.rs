//! `bowline upgrade --from-file`: many requests at once, and when the last one will have a place.

mod estimate;
mod lines;

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use tonic::Code;
use wire::v1::{GetLimitsRequest, ListPausesRequest, PauseView, UpgradeRequest, UpgradeResponse};

use crate::failure::{FAILED, Failure, Outcome, REFUSED, read_or_not};
use crate::output::{Format, Out, note, or_dash, paragraph, plain, span, write};
use crate::remote::{Effect, Remote, Server};
use crate::upgrade::{Standing, to_json};
use crate::{json, limits};
use estimate::{Estimate, Last, estimate};
use lines::Line;

/// A longer file is none of this kind.
const MAX_BYTES: u64 = 1024 * 1024;

pub(crate) async fn run(file: &Path, by: &str, server: &Server, out: &Out) -> Outcome {
    let wanted = lines::parse(&read(file)?).map_err(|faults| {
        Failure::usage(format!(
            "{} is not right, and nothing was sent:\n  {}",
            file.display(),
            faults.join("\n  ")
        ))
    })?;
    let mut remote = server.connect().await?;
    let mut sent = Vec::new();
    let broken = send(&wanted, by, &mut remote, out, &mut sent).await?;
    let known = match &broken {
        None => match known(&mut remote, &sent, out).await {
            Ok(known) => Some(known),
            Err(failure) => {
                note(&format!(
                    "everything was sent, but what is to be expected is not known: {}",
                    failure.message
                ));
                None
            }
        },
        Some(_) => None,
    };
    read_or_not(out.answer(
        |out| summary(&sent, known.as_ref(), out),
        || json::Bulk {
            asked: sent.clone(),
            estimate: known.as_ref().map(Known::json),
        },
    ))?;
    if let Some(failure) = broken {
        return Err(Failure::failed(format!(
            "{}\nThis was line {} of {}; what follows it was not sent. Give the file again when \
             Bowline answers: what was accepted counts as a duplicate then.",
            failure.message,
            wanted.get(sent.len()).map_or(0, |line| line.number),
            file.display()
        )));
    }
    Ok(ExitCode::from(code(&sent)))
}

/// 0 if an upgrade stands for each, or will.
fn code(sent: &[json::Asked]) -> u8 {
    let has = |decision: &str| sent.iter().any(|asked| asked.decision == decision);
    if has("failed") {
        FAILED
    } else if has("refused") || has("skipped") {
        REFUSED
    } else {
        0
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::usage(format!("failed to read {}: {error}", file.display()));
    let mut bytes = Vec::new();
    let limit = MAX_BYTES + 1;
    if file.as_os_str() == "-" {
        std::io::stdin().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file)
            .map_err(failed)?
            .take(limit)
            .read_to_end(&mut bytes)
    }
    .map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_BYTES) {
        Ok(bytes)
    } else {
        Err(Failure::usage(format!(
            "{} is longer than {MAX_BYTES} bytes; give one `IMAGE TAG` a line",
            file.display()
        )))
    }
}

/// Sends one after the other; ends early if nobody answers any more, and says so.
async fn send(
    wanted: &[Line],
    by: &str,
    remote: &mut Remote,
    out: &Out,
    sent: &mut Vec<json::Asked>,
) -> Result<Option<Failure>, Failure> {
    for line in wanted {
        let request = UpgradeRequest {
            image: line.image.clone(),
            tag: line.tag.clone(),
            chart: false,
            by: by.to_owned(),
        };
        let answered = match remote
            .try_ask(async |client| client.upgrade(request).await)
            .await
        {
            Ok(answered) => answered,
            // It is about this one; the others may be fine.
            Err(status) if status.code() == Code::InvalidArgument => UpgradeResponse {
                decision: "failed".to_owned(),
                reason: plain(status.message()),
                id: String::new(),
            },
            Err(status) => return Ok(Some(remote.told(&status, Effect::Changes))),
        };
        let asked = to_json(&line.image, &line.tag, &answered);
        if out.format != Format::Json {
            // Whoever has seen enough still wants the rest to be sent.
            read_or_not(write(&told(&asked)))?;
        }
        sent.push(asked);
    }
    Ok(None)
}

/// One line for each request, and its reason below if it did not open an upgrade.
fn told(asked: &json::Asked) -> String {
    let id: String = asked.id.as_deref().unwrap_or("-").chars().take(8).collect();
    let mut text = format!(
        "{:<9}  {id:<8}  {}:{}\n",
        or_dash(&asked.decision),
        asked.image,
        asked.tag
    );
    if Standing::of(&asked.decision) != Standing::Upgrade
        && let Some(reason) = &asked.reason
    {
        text.push_str(&paragraph(&" ".repeat(21), reason));
    }
    text
}

/// What can be said about the time to come.
struct Known {
    estimate: Estimate,
    limits: wire::v1::LimitsView,
    pauses: Vec<PauseView>,
    /// So many go on when NATS is back; nothing else is known of them.
    spooled: usize,
}

async fn known(remote: &mut Remote, sent: &[json::Asked], out: &Out) -> Result<Known, Failure> {
    let limits = remote
        .ask(Effect::Reads, async |client| {
            client.get_limits(GetLimitsRequest {}).await
        })
        .await?;
    let pauses = remote
        .ask(Effect::Reads, async |client| {
            client.list_pauses(ListPausesRequest {}).await
        })
        .await?
        .pauses;
    let of = |decision: &str| {
        let ids = sent.iter().filter(|asked| asked.decision == decision);
        ids.filter_map(|asked| asked.id.clone()).collect::<Vec<_>>()
    };
    let ours = estimate::ours(&limits, of("accepted"), of("duplicate"));
    let spooled = |asked: &&json::Asked| Standing::of(&asked.decision) == Standing::Spooled;
    Ok(Known {
        spooled: sent.iter().filter(spooled).count(),
        estimate: estimate(&limits, &ours, out.now.as_millisecond()),
        limits,
        pauses,
    })
}

impl Known {
    fn json(&self) -> json::Estimate {
        json::Estimate {
            now: self.estimate.now,
            waiting: self.estimate.waiting,
            last_admitted: match self.estimate.last {
                Last::At(at_ms) => crate::output::rfc3339(at_ms),
                Last::Never => None,
            },
            last_ends_not_before: self.ends_not_before().and_then(crate::output::rfc3339),
            limits: json::Limits::new(&self.limits),
        }
    }

    /// Before this the last one does not end, if it is carried out.
    fn ends_not_before(&self) -> Option<i64> {
        estimate::ends_not_before(&self.estimate, self.limits.shortest_seconds)
    }
}

fn summary(sent: &[json::Asked], known: Option<&Known>, out: &Out) -> String {
    let mut text = format!("\n{}\n", counted(sent));
    if let Some(known) = known
        && known.estimate.now + known.estimate.waiting > 0
    {
        text.push_str(&forecast(known, out));
    }
    text
}

/// `12 sent: 10 accepted, 2 skipped.`
fn counted(sent: &[json::Asked]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for asked in sent {
        match counts
            .iter_mut()
            .find(|(decision, _)| *decision == asked.decision)
        {
            Some((_, count)) => *count += 1,
            None => counts.push((&asked.decision, 1)),
        }
    }
    let parts: Vec<String> = counts
        .iter()
        .map(|(decision, count)| format!("{count} {decision}"))
        .collect();
    if parts.is_empty() {
        return "0 sent.".to_owned();
    }
    format!("{} sent: {}.", sent.len(), parts.join(", "))
}

fn forecast(known: &Known, out: &Out) -> String {
    let Estimate { now, waiting, last } = known.estimate;
    let mut text = String::from("\nEstimate\n");
    let mut line = |label: &str, value: &str| {
        text.push_str(&paragraph(&format!("  {label:<8}  "), value));
    };
    line("limit", &limits::in_words(&known.limits));
    line("let in", &format!("{now} now"));
    if waiting > 0 {
        let last = match last {
            Last::At(at_ms) => format!(
                "the last of them is let in at about {}, in {}",
                out.local(at_ms, "%F %R %Z"),
                span((at_ms - out.now.as_millisecond()) / 1_000)
            ),
            Last::Never => "for ever, with a limit of none".to_owned(),
        };
        line("waiting", &format!("{waiting}; {last}"));
        line(
            "sooner",
            "`bowline limits set --max N`, `bowline limits reset`",
        );
    }
    match (known.ends_not_before(), known.limits.shortest_seconds) {
        (Some(at_ms), Some(seconds)) => line(
            "ends",
            &format!(
                "the last of all not before {}, in {}: its admission and the shortest health \
                 window, {}",
                out.local(at_ms, "%F %R %Z"),
                span((at_ms - out.now.as_millisecond()) / 1_000),
                span(i64::try_from(seconds).unwrap_or(i64::MAX))
            ),
        ),
        (None, None) => line(
            "ends",
            "unknown: this Bowline carries nothing out (mode `observe`), or is older than this \
             command",
        ),
        _ => {}
    }
    if known.spooled > 0 {
        line(
            "spooled",
            &format!(
                "{}; they queue when NATS is back, and are not in this estimate",
                known.spooled
            ),
        );
    }
    for pause in &known.pauses {
        let why = match pause.why.as_str() {
            "" => String::new(),
            why => format!(" ({why})"),
        };
        line(
            "paused",
            &format!(
                "{}, by {}{why}: what it covers starts after `bowline resume`",
                pause.scope, pause.by
            ),
        );
    }
    text.push_str(&paragraph(
        "  ",
        "An end is a lower bound, for what is carried out. Once let in, each takes its own time for \
         backup, CI and watching, step by step; how many steps is known with its plan. `bowline \
         watch` follows all of them.",
    ));
    text
}

#[cfg(test)]
mod tests;
