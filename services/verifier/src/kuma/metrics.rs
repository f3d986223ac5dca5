//! The text of `/metrics`, as far as it speaks of monitors.
//!
//! By hand: of the format only gauges with labels are needed, and the crates for it do not undo the
//! escapes in label values.

use std::collections::BTreeMap;

use job::MonitorState;

use super::{host_of, state};
use crate::ports::{Monitor, Source};

/// Labels by name, unescaped.
type Labels<'a> = BTreeMap<&'a str, String>;

/// The monitors in the text; lines that are not understood are left out.
pub(super) fn monitors(text: &str) -> Vec<Monitor> {
    let mut found: Vec<(Labels<'_>, Monitor)> = Vec::new();
    let mut pings: Vec<(Labels<'_>, &str)> = Vec::new();
    for line in text.lines() {
        match sample(line) {
            Some(("monitor_status", labels, value)) => {
                let monitor = monitor(&labels, value);
                // Monitors that share their labels share a series; were there two, one counts.
                if !found.iter().any(|(known, _)| *known == labels) {
                    found.push((labels, monitor));
                }
            }
            Some(("monitor_response_time", labels, value)) => pings.push((labels, value)),
            Some(_) | None => {}
        }
    }
    found
        .into_iter()
        .map(|(labels, mut monitor)| {
            if let Some((_, ping)) = pings.iter().find(|(known, _)| *known == labels) {
                monitor.mark = format!("{} {ping}", monitor.mark);
            }
            monitor
        })
        .collect()
}

fn monitor(labels: &Labels<'_>, value: &str) -> Monitor {
    let label = |name: &str| labels.get(name).map(String::as_str).unwrap_or_default();
    let last: Option<MonitorState> = value
        .parse::<f64>()
        .ok()
        .and_then(|number| {
            [0, 1, 2, 3]
                .into_iter()
                .find(|known| f64::from(*known) == number)
        })
        .and_then(|number| state(i64::from(number)));
    let host = host_of(label("monitor_url")).map(str::to_owned);
    let named = Some(label("monitor_hostname")).filter(|name| !matches!(*name, "" | "null"));
    Monitor {
        id: label("monitor_id").parse().ok(),
        name: label("monitor_name").to_owned(),
        host: host.or_else(|| named.map(str::to_owned)),
        last,
        beats: Vec::new(),
        mark: value.to_owned(),
        source: Source::Metrics,
    }
}

/// One sample: its name, labels and value.
fn sample(line: &str) -> Option<(&str, Labels<'_>, &str)> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let at = line.find(['{', ' '])?;
    let (name, rest) = line.split_at_checked(at)?;
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Labels::new(), rest),
    };
    // A time may follow the value.
    let value = rest.split_whitespace().next()?;
    Some((name, labels, value))
}

/// The labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(Labels<'_>, &str)> {
    let mut found = Labels::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((found, rest));
        }
        let (name, after) = rest.split_once('=')?;
        let mut value = String::new();
        let mut chars = after.trim_start().strip_prefix('"')?.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => match chars.next()? {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                other => value.push(other),
            }
        }
        found.insert(name.trim(), value);
        rest = chars.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unescaped_and_labels_of_both_versions_are_read() {
        let text = r#"
# HELP monitor_status Monitor Status (1 = UP, 0= DOWN, 2= PENDING, 3= MAINTENANCE)
# TYPE monitor_status gauge
monitor_status{tag="a,b}",monitor_id="7",monitor_name="say \"hi\"\n\\o/",monitor_type="http",monitor_url="https://app.example.org:8443/x",monitor_hostname="null",monitor_port="null"} 1
monitor_status{monitor_name="old",monitor_type="port",monitor_url="https://",monitor_hostname="db.lan",monitor_port="5432"} 0 1700000000000
monitor_status{monitor_name="ping",monitor_type="ping",monitor_url="null",monitor_hostname="null",monitor_port="null",} 2
monitor_status{monitor_name="worked on"} 3
monitor_status{monitor_name="new word"} 4
monitor_status{monitor_name="cut
monitor_status{monitor_name="nothing"} NaN
monitor_response_time{monitor_name="old",monitor_type="port",monitor_url="https://",monitor_hostname="db.lan",monitor_port="5432"} 12
app_version{version="2.3.0"} 1
up 1
"#;
        let read: Vec<_> = monitors(text)
            .into_iter()
            .map(|one| (one.id, one.name, one.host, one.last, one.mark))
            .collect();
        let row = |id, name: &str, host: Option<&str>, last, mark: &str| {
            (
                id,
                name.to_owned(),
                host.map(str::to_owned),
                last,
                mark.to_owned(),
            )
        };
        use MonitorState::{Down, Maintenance, Pending, Up};
        let expected = [
            row(
                Some(7),
                "say \"hi\"\n\\o/",
                Some("app.example.org"),
                Some(Up),
                "1",
            ),
            row(None, "old", Some("db.lan"), Some(Down), "0 12"),
            row(None, "ping", None, Some(Pending), "2"),
            row(None, "worked on", None, Some(Maintenance), "3"),
            row(None, "new word", None, None, "4"),
            row(None, "nothing", None, None, "NaN"),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn any_text_is_an_answer_and_never_a_panic() {
        for text in [
            "",
            "{",
            "a{",
            "a{b",
            "a{b=",
            "a{b=\"",
            "a{b=\"\\",
            "a{b=\"c\"",
            "a{}",
            "é{é=\"é\"} é",
        ] {
            assert_eq!(monitors(text), []);
        }
    }
}
