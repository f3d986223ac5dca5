use super::*;
use crate::ports::Beat;

use MonitorState::{Down, Maintenance, Pending, Up};

fn monitor(name: &str) -> Monitor {
    Monitor {
        id: None,
        name: name.to_owned(),
        host: None,
        last: Some(Up),
        beats: Vec::new(),
        mark: String::new(),
    }
}

/// A monitor of the status page that beat at these seconds.
fn beaten(beats: &[(i64, MonitorState)]) -> Monitor {
    Monitor {
        last: beats.last().map(|(_, state)| *state),
        beats: beats
            .iter()
            .map(|(at_s, state)| Beat {
                at_ms: at_s * 1000,
                state: *state,
            })
            .collect(),
        ..monitor("app")
    }
}

fn wanted(names: &[&str], hosts: &[&str]) -> Monitors {
    let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    Monitors {
        names: owned(names),
        hosts: owned(hosts),
    }
}

/// `name`, `name@host` or `name#id`.
fn listed(text: &str) -> Monitor {
    let (rest, id) = text
        .split_once('#')
        .map_or((text, None), |(rest, id)| (rest, Some(id)));
    let (name, host) = rest
        .split_once('@')
        .map_or((rest, None), |(name, host)| (name, Some(host)));
    Monitor {
        id: id.map(|id| id.parse().unwrap()),
        host: host.map(str::to_owned),
        ..monitor(name)
    }
}

#[test]
fn monitors_belong_to_a_service_by_list_by_host_or_by_name() {
    for (all, names, hosts, expected, missing) in [
        // What a person listed, and nothing else.
        (
            &["App", "app"][..],
            &["App"][..],
            &["x.org"][..],
            &["App"][..],
            &[][..],
        ),
        (
            &["App#1", "App#2", "DB#3"],
            &["App", " DB "],
            &[],
            &["App#1", "App#2", "DB#3"],
            &[],
        ),
        (&["app"], &["App"], &[], &[], &["App"]),
        (&["App"], &["App", "App"], &[], &["App"], &[]),
        // By host, whatever the name.
        (
            &["Front@app.org", "Other@x.org"],
            &[],
            &["APP.org"],
            &["Front@app.org"],
            &[],
        ),
        // By name, spelled as people do.
        (
            &["Open WebUI", "open"],
            &[],
            &["chat.org"],
            &["Open WebUI"],
            &[],
        ),
        // By host and by name, unless the host says which of the same name is ours.
        (
            &["Front@app.org", "open-webui"],
            &[],
            &["app.org"],
            &["Front@app.org", "open-webui"],
            &[],
        ),
        (
            &["open-webui@app.org#1", "open-webui@test.org#2"],
            &[],
            &["app.org"],
            &["open-webui@app.org#1"],
            &[],
        ),
        (&["other@x.org"], &[], &["app.org"], &[], &[]),
        (&["other"], &[], &[], &[], &[]),
    ] {
        let all: Vec<Monitor> = all.iter().map(|&text| listed(text)).collect();
        let (found, lacking) = of_service(&all, &wanted(names, hosts), "open-webui");
        let expected: Vec<Monitor> = expected.iter().map(|&text| listed(text)).collect();
        assert_eq!(
            found,
            expected.iter().collect::<Vec<_>>(),
            "{names:?} {hosts:?}"
        );
        assert_eq!(lacking, missing, "{names:?}");
    }
}

/// What a monitor says at 1000 s of a version that is live since 900 s and healthy since 950 s.
fn says(
    monitor: Monitor,
    before: Option<MonitorState>,
    first: Option<&Reading>,
) -> (&'static str, i64) {
    let reading = Reading {
        at_ms: 1_000_000,
        monitors: vec![monitor],
    };
    let before = before
        .map(|state| ("app".to_owned(), state))
        .into_iter()
        .collect();
    let since = Since {
        live_ms: Some(900_000),
        healthy_ms: Some(950_000),
        first,
        interval_ms: 60_000,
        wait_at_most_ms: 500_000,
    };
    let said = judge(&Ok(&reading), &wanted(&["app"], &[]), "app", &before, since);
    let word = match (&said.health, said.lines.first().map(String::as_str)) {
        (
            Health::Bad {
                definite: false, ..
            },
            _,
        ) => "bad",
        (Health::Good, Some("Uptime Kuma: app UP")) => "up",
        (Health::Good, Some(line)) if line.contains("unknown") => "unknown",
        other => panic!("{other:?}"),
    };
    (word, said.wait_ms / 1000)
}

#[test]
fn only_beats_since_the_version_is_live_count() {
    for (beats, before, word, wait) in [
        // A stale UP proves nothing; the window is lengthened by two of its intervals.
        (&[(840, Up), (900, Up)][..], Some(Up), "unknown", 120),
        (&[(900, Up), (950, Up)], Some(Up), "unknown", 100),
        (&[(900, Up), (951, Up)], Some(Up), "up", 0),
        (&[(951, Up)], None, "up", 0),
        (&[(951, Up)], Some(Down), "up", 0),
        // A stale DOWN is of the rollout.
        (&[(840, Up), (900, Down)], Some(Up), "unknown", 120),
        (&[(840, Up), (901, Down)], Some(Up), "bad", 0),
        // Down before as well, or never known to be up.
        (&[(901, Down), (961, Down)], Some(Down), "unknown", 0),
        (&[(901, Down), (961, Down)], None, "unknown", 0),
        (&[(901, Down), (961, Down)], Some(Maintenance), "unknown", 0),
        (&[(901, Up), (961, Down)], None, "bad", 0),
        (&[(901, Up), (961, Down)], Some(Down), "unknown", 0),
        // Not yet, and nobody's fault.
        (&[(910, Up), (970, Pending)], Some(Up), "unknown", 120),
        (&[(961, Maintenance)], Some(Up), "unknown", 0),
        (&[], Some(Up), "unknown", 0),
        // Slow monitors lengthen it by a bounded time.
        (&[(300, Up), (600, Up), (900, Up)], Some(Up), "unknown", 500),
        (&[(500, Up), (700, Up), (900, Up)], Some(Up), "unknown", 400),
        // One beat tells no interval.
        (&[(900, Up)], Some(Up), "unknown", 120),
    ] {
        assert_eq!(
            says(beaten(beats), before, None),
            (word, wait),
            "{beats:?} after {before:?}"
        );
    }
}

#[test]
fn without_times_a_reading_counts_after_an_interval_or_when_it_has_changed() {
    let marked = |state, mark: &str| Monitor {
        last: Some(state),
        mark: mark.to_owned(),
        ..monitor("app")
    };
    let first = |at_s: i64, mark: &str| Reading {
        at_ms: at_s * 1000,
        monitors: vec![marked(Up, mark)],
    };
    // At 1000 s, fifty seconds after it became healthy, with an interval of sixty.
    for (state, mark, first, word) in [
        (Up, "a", None, "unknown"),
        (Up, "a", Some(first(960, "a")), "unknown"),
        (Up, "b", Some(first(960, "a")), "up"),
        // Read before the window, so that it may have changed before it.
        (Up, "b", Some(first(949, "a")), "unknown"),
        (Down, "b", Some(first(960, "a")), "bad"),
        // A hundred seconds after it became live.
        (Down, "a", None, "bad"),
        (Pending, "b", Some(first(960, "a")), "unknown"),
    ] {
        let said = says(marked(state, mark), Some(Up), first.as_ref());
        assert_eq!(said.0, word, "{state:?} {mark} {first:?}");
    }
}

#[test]
fn before_it_was_ever_healthy_no_beat_counts() {
    let reading = Reading {
        at_ms: 1_000_000,
        monitors: vec![beaten(&[(999, Down)])],
    };
    let since = Since {
        live_ms: None,
        healthy_ms: None,
        first: None,
        interval_ms: 60_000,
        wait_at_most_ms: 500_000,
    };
    let before = BTreeMap::from([("app".to_owned(), Up)]);
    let said = judge(&Ok(&reading), &wanted(&[], &[]), "app", &before, since);
    assert_eq!(said.health, Health::Good);
}

#[test]
fn what_is_away_or_missing_is_unknown_and_said_so() {
    let since = Since {
        live_ms: Some(1),
        healthy_ms: Some(1),
        first: None,
        interval_ms: 60_000,
        wait_at_most_ms: 500_000,
    };
    let none = Reading {
        at_ms: 5,
        monitors: Vec::new(),
    };
    for (reading, names, line) in [
        (
            Err(Unknown("it did not answer".to_owned())),
            &[][..],
            "Uptime Kuma: unknown, it did not answer",
        ),
        (Ok(&none), &[], "Uptime Kuma: no monitor of app"),
        (
            Ok(&none),
            &["x"],
            "Uptime Kuma: x unknown, there is no such monitor",
        ),
    ] {
        let said = judge(
            &reading,
            &wanted(names, &[]),
            "app",
            &BTreeMap::new(),
            since,
        );
        assert_eq!(said.lines, [line]);
        assert_eq!((said.health, said.wait_ms), (Health::Good, 0));
    }
}

#[test]
fn the_baseline_keeps_monitors_of_one_name_apart() {
    let reading = Reading {
        at_ms: 0,
        monitors: vec![
            listed("app#1"),
            Monitor {
                last: Some(Down),
                ..listed("app#2")
            },
            Monitor {
                last: None,
                ..listed("app#3")
            },
            listed("app@a.org"),
        ],
    };
    let found = baseline(&reading, &wanted(&["app"], &[]), "x");
    let expected = [("app #1", Up), ("app #2", Down), ("app (a.org)", Up)];
    assert_eq!(
        found,
        expected
            .map(|(name, state)| (name.to_owned(), state))
            .into()
    );
}
