//! What people read in Slack. Pure: a fact and the state after it become a text, or none.

use job::{Body, Cause, Level, Phase, Source, State, UpgradeId};

/// So much of a foreign text is quoted.
const QUOTE: usize = 1_500;

/// So much of one line of the notes.
const LINE: usize = 400;
/// So many reasons for a risk are told.
const REASONS: usize = 3;

/// The text for a fact, if it is one that people are told of.
#[must_use]
pub(crate) fn text(state: &State, body: &Body) -> Option<String> {
    let plan = state.plan.as_ref();
    let service = quoted(plan.map_or(state.request.image.as_str(), |plan| &plan.service));
    let to = plan.map_or(state.request.tag.as_str(), |plan| plan.to());
    let way = plan.map_or_else(
        || format!("? → {to}"),
        |plan| plan.way(&plan.from, plan.to(), "→"),
    );
    let id = &state.id;
    let text = match body {
        Body::Started => {
            let plan = plan?;
            let mut text = format!(
                ":arrow_up: *{service}* {way} starting, risk {}",
                plan.risk.level
            );
            if plan.risk.level != Level::Safe {
                text.push_str(&because(&plan.risk.reasons));
            }
            if plan.step_count() > 1 {
                let seconds =
                    u64::from(plan.step_count()) * u64::from(plan.windows.forward_seconds);
                text.push_str(&format!(
                    "\n{} steps, at least {}",
                    plan.step_count(),
                    duration(seconds)
                ));
            }
            if let Some(backup) = &plan.backup {
                text.push_str(&format!(
                    "\nbackup first: {}/{}",
                    backup.namespace, backup.cronjob
                ));
            }
            text.push_str(&notes(&plan.summary));
            text
        }
        Body::Succeeded { report } => {
            format!(
                ":white_check_mark: *{service}* {way} done\n{}",
                quoted(report)
            )
        }
        Body::Requested(request) if request.source == Source::Person => {
            let before = request.retry_of.as_deref()?;
            format!(
                ":repeat: *{service}* to {to} is tried again by {}, after `{before}`",
                quoted(&request.by)
            )
        }
        Body::Planned(plan) if state.phase == Phase::AwaitingApproval => format!(
            ":raised_hand: *{service}* {way} awaits approval, risk {}{}{}{}\n\
             `bowline approve {id}` lets it go on, `bowline cancel {id}` stops it",
            plan.risk.level,
            because(&plan.risk.reasons),
            if plan.policy.critical {
                "; much depends on this service"
            } else {
                ""
            },
            notes(&plan.summary),
        ),
        Body::RollbackRequested { evidence, .. } if state.whole => format!(
            ":warning: *{service}* {to} was done and is not wanted, rolling back to {}\n{}",
            state.undo_to(),
            quoted(evidence)
        ),
        Body::RollbackRequested { cause, evidence } => format!(
            ":warning: *{service}* {way} {} in step {}, rolling back to {}\n{}",
            match cause {
                Cause::CiFailed | Cause::NotApplied | Cause::Unhealthy => "failed",
                Cause::Cancelled | Cause::Person => "cancelled by a person",
            },
            state.step,
            state.undo_to(),
            quoted(evidence)
        ),
        Body::RetryRequested { by } => {
            format!(
                ":repeat: *{service}* to {to} goes on where it stopped, asked by {}",
                quoted(by)
            )
        }
        Body::Resolved { to: now_at, by } => format!(
            ":ballot_box_with_check: *{service}* was settled by {}: {} is live, and the service is \
             open again",
            quoted(by),
            quoted(now_at)
        ),
        Body::RolledBack { to: back, report } => {
            format!(
                ":leftwards_arrow_with_hook: *{service}* rolled back, {back} is live and healthy\n{}",
                quoted(report)
            )
        }
        Body::Aborted { at, why, .. } => {
            format!(
                ":no_entry: *{service}* to {to} aborted, {} is unchanged\n{}",
                live(at),
                quoted(why)
            )
        }
        Body::Cancelled { at } => {
            format!(
                ":stop_button: *{service}* to {to} {}, {} is live",
                quoted(&state.outcome),
                live(at)
            )
        }
        Body::Stuck(why) => format!(
            ":rotating_light: *CRITICAL* *{service}* {way} needs a person\n{}\n{}",
            quoted(why),
            ways_on(id)
        ),
        Body::Parked(why) => format!(
            ":rotating_light: *CRITICAL* *{service}* to {to} was set aside\n{}\n{}",
            quoted(why),
            ways_on(id)
        ),
        Body::Skipped(job::SkipReason::Observe(what)) => {
            format!(":eyes: observe: {}", quoted(what))
        }
        _ => return None,
    };
    Some(format!("{text}\n`{id}` fact {}", state.facts))
}

/// What a person can do about what has stopped.
fn ways_on(id: &UpgradeId) -> String {
    format!("`bowline retry {id}` goes on, `bowline resolve {id} --now-at TAG` ends it")
}

/// The text for a cluster in which nothing starts any more.
#[must_use]
pub(crate) fn circuit(tripped: &bus::circuit::Tripped) -> String {
    let ids: Vec<String> = tripped
        .upgrades
        .iter()
        .map(|id| format!("`{id}`"))
        .collect();
    format!(
        ":rotating_light: *CRITICAL* {} upgrades of cluster *{}* had to be undone soon after each \
         other ({})\nno upgrade starts there any more; when the cause is mended, `bowline resume \
         --all` lets them go on",
        ids.len(),
        quoted(&tripped.cluster),
        ids.join(", ")
    )
}

fn live(version: &str) -> &str {
    if version.is_empty() {
        "what runs"
    } else {
        version
    }
}

/// The first reasons for a risk, in brackets.
fn because(reasons: &[String]) -> String {
    if reasons.is_empty() {
        return String::new();
    }
    let told: Vec<&str> = reasons.iter().take(REASONS).map(String::as_str).collect();
    format!(" ({})", quoted(&told.join("; ")))
}

/// The summary of the release notes, cut at the end of a line; long lines are cut themselves.
fn notes(summary: &str) -> String {
    let mut text = String::new();
    let mut lines = summary.lines().map(|line| escaped(&cut(line), usize::MAX));
    while let Some(line) = lines.next() {
        if text.chars().count() + line.chars().count() > QUOTE {
            match lines.count() {
                0 => text.push_str("\n… and 1 more line"),
                left => text.push_str(&format!("\n… and {} more lines", left + 1)),
            }
            break;
        }
        text.push('\n');
        text.push_str(&line);
    }
    text
}

fn cut(line: &str) -> String {
    if line.chars().count() <= LINE {
        return line.to_owned();
    }
    line.chars().take(LINE - 1).chain(['…']).collect()
}

/// Escaped, and bounded.
fn quoted(text: &str) -> String {
    escaped(text, QUOTE)
}

/// No more than so much of a text, with Slack's three escapes, of which none is cut; an unescaped
/// `<!channel>` in a changelog pings everybody.
fn escaped(text: &str, most: usize) -> String {
    let (mut quote, mut length) = (String::new(), 0);
    for character in text.chars() {
        let escape = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        length += escape.len().max(1);
        if length > most {
            quote.push('…');
            break;
        }
        if escape.is_empty() {
            quote.push(character);
        } else {
            quote.push_str(escape);
        }
    }
    quote
}

fn duration(seconds: u64) -> String {
    match (seconds / 3_600, seconds % 3_600 / 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_notes_cannot_ping_anybody() {
        assert_eq!(quoted("<!channel> & co"), "&lt;!channel&gt; &amp; co");
        assert_eq!(quoted(&"ä".repeat(9_000)).chars().count(), QUOTE + 1);
        assert!(quoted(&"&".repeat(9_000)).ends_with("&amp;…"));
        assert!(quoted(&"<".repeat(9_000)).chars().count() <= QUOTE + 1);
    }

    #[test]
    fn a_long_summary_ends_with_a_whole_line() {
        assert_eq!(
            notes("1 release:\n- 1.0 <b>"),
            "\n1 release:\n- 1.0 &lt;b&gt;"
        );
        let line = "x".repeat(LINE);
        let told = notes(&[line.as_str(); 5].join("\n"));
        let shown = format!("\n{line}").repeat(3);
        assert_eq!(told, format!("{shown}\n… and 2 more lines"));
        let told = notes(&[line.as_str(); 4].join("\n"));
        assert_eq!(told, format!("{shown}\n… and 1 more line"));
        assert!(notes(&"y".repeat(5_000)).ends_with("y…"));
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(45), "45 s");
        assert_eq!(duration(600), "10 min");
        assert_eq!(duration(23 * 600), "3 h 50 min");
    }
}
