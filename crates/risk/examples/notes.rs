//! How long a large changelog and a long list of tags take; `cargo xtask bench notes`.
#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use risk::{Note, sections, weigh};
use version::Tag;

const BYTES: usize = 900_000;
const TAGS: usize = 10_000;
const ROUNDS: usize = 21;

fn main() {
    let text = changelog();
    let lines = median(|| {
        black_box(
            text.lines()
                .filter(|line| line.contains("breaking"))
                .count(),
        );
    });
    let found = sections(&text);
    println!(
        "changelog: {} bytes, {} lines, {} versions",
        text.len(),
        text.lines().count(),
        found.len()
    );
    let one = median(|| {
        let all = sections(black_box(&text));
        black_box(all.iter().find(|section| section.version == "2.37.1"));
    });
    println!(
        "one version's section: {one:.1?}, {:.1} times looking for one word in each line",
        ratio(one, lines)
    );

    let notes: Vec<Note> = found
        .iter()
        .take(40)
        .map(|section| Note {
            version: section.version.clone(),
            title: None,
            body: section.body.to_owned(),
            url: String::new(),
        })
        .collect();
    let bytes: usize = notes.iter().map(|note| note.body.len()).sum();
    let began = Instant::now();
    black_box(weigh(&notes));
    let first = began.elapsed();
    let weighed = median(|| {
        black_box(weigh(black_box(&notes)));
    });
    println!("40 releases weighed, {bytes} bytes: {weighed:.1?}; the first time {first:.0?}");

    let tags = tags();
    let words = median(|| {
        let mut sorted = tags.clone();
        sorted.sort();
        black_box(sorted);
    });
    let (from, to) = (Tag::parse("v1.3.0"), Tag::parse("v9.0.0"));
    let kept = version::between(&from, &to, tags.iter().cloned()).len();
    let sorted = median(|| {
        black_box(version::between(&from, &to, tags.iter().cloned()));
    });
    println!(
        "{TAGS} tags filtered and put in order, {kept} left: {sorted:.1?}, {:.1} times sorting them \
         as words",
        ratio(sorted, words)
    );
}

/// Versions with a few dozen lines each, the newest first.
fn changelog() -> String {
    let mut text = "# Changelog\n\n## [Unreleased]\n\n- more to come\n".to_owned();
    let mut version = 4_000;
    while text.len() < BYTES {
        let (major, minor, patch) = (version / 1_000, version / 10 % 100, version % 10);
        let _ = writeln!(
            text,
            "\n## [{major}.{minor}.{patch}] - 2026-01-02\n\n### Added\n"
        );
        for item in 0..12 {
            let _ = writeln!(
                text,
                "- the list of things shows thing {item} with its picture, its size and where it came \
                 from ([#{item}](https://git.example.org/acme/app/pulls/{item}))"
            );
        }
        let _ = writeln!(text, "\n### Fixed\n");
        for item in 0..8 {
            let _ = writeln!(
                text,
                "- a crash when thing {item} is gone before it is shown"
            );
        }
        version -= 1;
    }
    text
}

/// Tags as a registry lists them: versions in three styles, commits and words.
fn tags() -> Vec<String> {
    (0..TAGS)
        .map(|n| match n % 5 {
            0 | 1 => format!("v{}.{}.{}", n % 11, n % 97, n % 13),
            2 => format!("{}.{}.{}-alpine", n % 11, n % 97, n % 13),
            3 => format!("sha-{:07x}", n * 7_919),
            _ => format!("v{}.{}.{}-rc.{}", n % 11, n % 97, n % 13, n % 5),
        })
        .collect()
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            work();
            started.elapsed()
        })
        .collect();
    times.sort();
    times.get(ROUNDS / 2).copied().unwrap_or_default()
}

fn ratio(part: Duration, whole: Duration) -> f64 {
    part.as_secs_f64() / whole.as_secs_f64().max(f64::EPSILON)
}
