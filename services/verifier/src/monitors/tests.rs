use std::sync::Arc;

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
        source: Source::Page,
    }
}

/// A reading of a status page, or of `/metrics`, at this second.
fn reading(at_s: i64, monitors: Vec<Monitor>) -> Reading {
    Reading {
        at_ms: at_s * 1000,
        all: monitors.iter().all(|one| one.source == Source::Metrics),
        monitors,
        note: None,
    }
}

/// A version that is live since 900 s and healthy since 950 s; slow monitors get 500 s.
fn since<'a>(marks: &'a BTreeMap<String, Mark>, down: &'a BTreeMap<String, i64>) -> Since<'a> {
    Since {
        live_ms: Some(900_000),
        healthy_ms: Some(950_000),
        marks,
        down,
        interval_ms: 60_000,
        wait_at_most_ms: 500_000,
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

/// What a monitor says at this second, with an interval of sixty where its beats do not tell.
fn says(
    at_s: i64,
    monitor: Monitor,
    before: Option<MonitorState>,
    known: Option<Mark>,
) -> (&'static str, i64) {
    let reading = reading(at_s, vec![monitor]);
    let before = before
        .map(|state| ("app".to_owned(), state))
        .into_iter()
        .collect();
    let known = known.map(|known| ("app".to_owned(), known));
    let (marks, none) = (known.into_iter().collect(), BTreeMap::new());
    let since = since(&marks, &none);
    let said = judge(&Ok(&reading), &wanted(&["app"], &[]), "app", &before, since);
    let line = said.lines.first().map(String::as_str).unwrap_or_default();
    let line = line.trim_end_matches(" (/metrics)");
    let word = match (&said.health, line) {
        (Health::Down { .. }, _) => "down",
        (Health::Good, "Uptime Kuma: app UP") => "up",
        (Health::Good, "Uptime Kuma: app PENDING, retries are left") => "pending",
        (Health::Good, line) if line.contains("unknown") => "unknown",
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
        (&[(840, Up), (901, Down)], Some(Up), "down", 0),
        // Down before as well, or never known to be up.
        (&[(901, Down), (961, Down)], Some(Down), "unknown", 0),
        (&[(901, Down), (961, Down)], None, "unknown", 0),
        (&[(901, Down), (961, Down)], Some(Maintenance), "unknown", 0),
        (&[(901, Up), (961, Down)], None, "down", 0),
        (&[(901, Up), (961, Down)], Some(Down), "unknown", 0),
        // Not yet, and nobody's fault.
        (&[(910, Up), (970, Pending)], Some(Up), "pending", 120),
        (&[(961, Maintenance)], Some(Up), "unknown", 0),
        (&[], Some(Up), "unknown", 0),
        // Slow monitors lengthen it by a bounded time.
        (&[(300, Up), (600, Up), (900, Up)], Some(Up), "unknown", 500),
        (&[(500, Up), (700, Up), (900, Up)], Some(Up), "unknown", 400),
        // One beat tells no interval.
        (&[(900, Up)], Some(Up), "unknown", 120),
    ] {
        assert_eq!(
            says(1000, beaten(beats), before, None),
            (word, wait),
            "{beats:?} after {before:?}"
        );
    }
}

fn marked(state: MonitorState, mark: &str) -> Monitor {
    Monitor {
        last: Some(state),
        mark: mark.to_owned(),
        source: Source::Metrics,
        ..monitor("app")
    }
}

#[test]
fn without_times_a_reading_counts_when_it_has_changed_or_after_two_intervals() {
    let read = |at_s: i64, mark: &str| Mark {
        mark: mark.to_owned(),
        read_ms: at_s * 1000,
        after_ms: None,
    };
    let after = |at_s: i64, mark: &str| Mark {
        after_ms: Some(at_s * 1000),
        ..read(990, mark)
    };
    for (at_s, state, mark, known, word) in [
        (1000, Up, "a", None, "unknown"),
        (1000, Up, "a", Some(read(960, "a")), "unknown"),
        (1000, Up, "b", Some(read(950, "a")), "up"),
        // Read before the window, so that it may have changed before it.
        (1000, Up, "b", Some(read(949, "a")), "unknown"),
        // It changed earlier.
        (1000, Up, "b", Some(after(950, "b")), "up"),
        (1000, Up, "b", Some(after(949, "b")), "unknown"),
        // One interval is too short for a check that hangs.
        (1070, Up, "a", Some(read(960, "a")), "unknown"),
        (1071, Up, "a", Some(read(960, "a")), "up"),
        (1071, Up, "a", None, "up"),
        // The DOWN of the rollout, at 900 s, is not held against the version until it must have
        // been said again.
        (1000, Down, "a", None, "unknown"),
        (1020, Down, "a", Some(read(960, "a")), "unknown"),
        (1021, Down, "a", None, "down"),
        (1000, Down, "b", Some(read(900, "a")), "down"),
        (1000, Down, "b", Some(read(899, "a")), "unknown"),
        (1000, Pending, "b", Some(read(960, "a")), "pending"),
    ] {
        let what = format!("{at_s} {state:?} {mark} {known:?}");
        let said = says(at_s, marked(state, mark), Some(Up), known);
        assert_eq!(said.0, word, "{what}");
    }
}

#[test]
fn a_beat_came_after_the_last_reading_that_looked_otherwise() {
    let mut known: Option<Mark> = None;
    for (at_ms, mark, after_ms) in [
        (10, "a", None),
        (20, "a", None),
        (30, "b", Some(20)),
        (40, "b", Some(20)),
        (50, "a", Some(40)),
    ] {
        let read = Mark::read(&marked(Up, mark), at_ms, known.as_ref());
        assert_eq!((read.read_ms, read.after_ms), (at_ms, after_ms));
        known = Some(read);
    }
}

#[test]
fn a_monitor_that_is_down_has_until_its_next_beat() {
    let before = BTreeMap::from([("app".to_owned(), Up)]);
    let judged = |monitor: Monitor, at_s: i64, down: &BTreeMap<String, i64>| {
        let reading = reading(at_s, vec![monitor]);
        let wanted = wanted(&["app"], &[]);
        judge(
            &Ok(&reading),
            &wanted,
            "app",
            &before,
            since(&BTreeMap::new(), down),
        )
    };
    let none = BTreeMap::new();
    for (beats, patience_s) in [
        (&[(910, Up), (940, Down)][..], 37),
        (&[(660, Up), (960, Down)], 375),
        (&[(360, Up), (660, Up), (960, Down)], 375),
        // Bounded, as the wait for it is.
        (&[(10, Up), (960, Down)], 500),
        // One beat tells no interval.
        (&[(960, Down)], 75),
    ] {
        let said = judged(beaten(beats), 1000, &none);
        let Health::Down {
            since_ms,
            patience_ms,
            ..
        } = said.health
        else {
            panic!("{beats:?}: {said:?}")
        };
        assert_eq!((since_ms, patience_ms / 1000), (1_000_000, patience_s));
    }
    // Read once more, it is down since then.
    let said = judged(beaten(&[(660, Up), (960, Down)]), 1000, &none);
    let said = judged(beaten(&[(660, Up), (960, Down)]), 1100, &said.down);
    assert!(
        matches!(said.health, Health::Down { since_ms, .. } if since_ms == 1_000_000),
        "{said:?}"
    );
    let said = judged(beaten(&[(960, Down), (1260, Up)]), 1300, &said.down);
    assert_eq!((said.health, said.down), (Health::Good, none));
}

#[test]
fn before_it_was_ever_healthy_no_beat_counts() {
    let reading = reading(1000, vec![beaten(&[(999, Down)])]);
    let (marks, none) = (BTreeMap::new(), BTreeMap::new());
    let since = Since {
        live_ms: None,
        healthy_ms: None,
        ..since(&marks, &none)
    };
    let before = BTreeMap::from([("app".to_owned(), Up)]);
    let said = judge(&Ok(&reading), &wanted(&[], &[]), "app", &before, since);
    assert_eq!(said.health, Health::Good);
}

#[test]
fn what_is_away_or_missing_is_unknown_and_said_so() {
    let page = Reading {
        all: false,
        ..reading(5, Vec::new())
    };
    let metrics = Reading {
        note: Some("the status page is away".to_owned()),
        ..reading(5, Vec::new())
    };
    for (reading, names, lines) in [
        (
            Err(Unknown("it did not answer".to_owned())),
            &[][..],
            &["Uptime Kuma: unknown, it did not answer"][..],
        ),
        (Ok(&page), &[], &["Uptime Kuma: no monitor of app"]),
        (
            Ok(&page),
            &["x"],
            &["Uptime Kuma: x unknown, it is not on the status page"],
        ),
        (
            Ok(&metrics),
            &["x"],
            &[
                "Uptime Kuma: the status page is away",
                "Uptime Kuma: x unknown, there is no such monitor",
            ],
        ),
    ] {
        let (before, none) = (BTreeMap::new(), BTreeMap::new());
        let wanted = wanted(names, &[]);
        let said = judge(
            &reading,
            &wanted,
            "app",
            &before,
            since(&BTreeMap::new(), &none),
        );
        assert_eq!(said.lines, lines);
        assert_eq!((said.health, said.wait_ms), (Health::Good, 0));
    }
}

#[test]
fn metrics_tell_what_the_status_page_lacks_and_nothing_else() {
    let page = |monitors: &[&str]| {
        Arc::new(Reading {
            all: false,
            ..reading(7, monitors.iter().map(|&text| listed(text)).collect())
        })
    };
    let metrics = |monitors: &[&str]| {
        let of_metrics = |&text: &&str| Monitor {
            source: Source::Metrics,
            ..listed(text)
        };
        Arc::new(reading(5, monitors.iter().map(of_metrics).collect()))
    };
    let everything = [
        "Front@app.org#1",
        "DB@db.lan#2",
        "app@test.org#3",
        "Other#4",
    ];
    for (names, hosts, on_page, expected) in [
        // The page has it all.
        (&["Front"][..], &[][..], &["Front#1"][..], None),
        (&[], &["app.org"], &["Front@app.org#1"], None),
        // One of two is not on it.
        (
            &["Front", "DB"],
            &[],
            &["Front#1"],
            Some(&["Front page", "DB metrics"][..]),
        ),
        (&["x"], &[], &["Front#1"], Some(&[][..])),
        // The page does not show the address by which it is ours, yet its beats.
        (&[], &["app.org"], &["Front#1"], Some(&["Front page"][..])),
        (&[], &["app.org"], &[], Some(&["Front metrics"][..])),
    ] {
        let wanted = wanted(names, hosts);
        let page = Ok(page(on_page));
        let what = format!("{names:?} {hosts:?} {on_page:?}");
        assert_eq!(lacks(&page, &wanted, "x"), expected.is_some(), "{what}");
        let Some(expected) = expected else { continue };
        let both = complete(page, &Ok(metrics(&everything)), &wanted, "x").unwrap();
        let (found, _) = of_service(&both.monitors, &wanted, "x");
        let found: Vec<_> = found
            .iter()
            .map(|one| match one.source {
                Source::Page => format!("{} page", one.name),
                Source::Metrics => format!("{} metrics", one.name),
            })
            .collect();
        assert_eq!(found, expected, "{what}");
        assert_eq!((both.at_ms, both.all, &both.note), (5000, true, &None));
    }
}

#[test]
fn a_source_that_cannot_be_read_is_named() {
    let page = || Ok(Arc::new(reading(7, vec![listed("Front#1")])));
    let metrics = || Ok(Arc::new(reading(5, vec![marked(Up, "1")])));
    let away = |why: &str| Err(Unknown(why.to_owned()));
    let wanted = wanted(&["app"], &[]);
    let both = |page, metrics| {
        assert!(lacks(&page, &wanted, "app"));
        let both = complete(page, &metrics, &wanted, "app");
        both.map(|both| (both.monitors.len(), both.note.clone().unwrap_or_default()))
    };
    assert_eq!(
        both(page(), away("401")),
        Ok((1, "/metrics unknown, 401".to_owned()))
    );
    let instead = "the status page could not be read, so /metrics was: 502";
    assert_eq!(both(away("502"), metrics()), Ok((1, instead.to_owned())));
    assert_eq!(
        both(away("502"), away("401")),
        Err(Unknown("502; and /metrics: 401".to_owned()))
    );
}

#[test]
fn the_baseline_keeps_monitors_of_one_name_apart() {
    let down = Monitor {
        last: Some(Down),
        ..listed("app#2")
    };
    let silent = Monitor {
        last: None,
        ..listed("app#3")
    };
    let all = vec![listed("app#1"), down, silent, listed("app@a.org")];
    let reading = reading(0, all);
    let found = baseline(&reading, &wanted(&["app"], &[]), "x");
    let expected = [("app #1", Up), ("app #2", Down), ("app (a.org)", Up)];
    assert_eq!(
        found,
        expected
            .map(|(name, state)| (name.to_owned(), state))
            .into()
    );
}
