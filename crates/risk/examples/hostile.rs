//! How the time grows with notes that somebody made to be slow: `cargo run --release --example
//! hostile -p risk`. Twice the text may take little more than twice the time.
#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use risk::{Input, Note, Rule, assess, default_words, sections, summary, touched};

const BYTES: usize = 1_000_000;

/// A text that is repeated, with what stands in front of it.
const REPEATED: [(&str, &str); 42] = [
    ("", "some words of prose that go on\n"),
    ("", "#"),
    ("", "`"),
    ("", "("),
    ("", "```\n"),
    ("", "~~~~ x\n"),
    ("", "```x\n"),
    ("", "- "),
    ("", "<details>\n"),
    ("", "a\n===\n"),
    ("", "===\na\n"),
    ("", "# a\n"),
    ("", "]("),
    ("", "<a "),
    ("", "<img"),
    ("", "<!"),
    ("", "<!--"),
    ("", "<!-- -->\n"),
    ("", "http://"),
    ("you must set X. ", "a. "),
    ("", "a. "),
    ("", "removed "),
    ("", "- removed x\n"),
    ("", "- the option x was removed\n"),
    ("", "not "),
    ("", "requires "),
    ("", "no longer "),
    ("", "`a` "),
    ("", "--a "),
    ("", "AB_CD "),
    ("", "> "),
    ("", "*"),
    ("", "**a**\n"),
    ("", "GHSA-aaaa-"),
    ("", "upgrade to 1.2 "),
    ("", "1."),
    ("must since 1.2 ", "since 1.2 "),
    ("the option was removed ", "not broken. "),
    ("", "1"),
    ("action", " "),
    ("", "action \n"),
    ("", "bump older 2.x from default now "),
];

/// Makes a text of so many bytes.
type Make = Box<dyn Fn(usize) -> String>;

fn main() {
    let mut cases: Vec<(String, Make)> = Vec::new();
    for (front, piece) in REPEATED {
        let make = move |bytes: usize| front.to_owned() + &piece.repeat(bytes / piece.len());
        cases.push((format!("{front:?} {piece:?}"), Box::new(make)));
    }
    cases.push((
        "advisories".to_owned(),
        numbered(|n| format!("CVE-2024-{} ", 10_000 + n)),
    ));
    cases.push((
        "versions".to_owned(),
        numbered(|n| format!("### 1.2.{n}\n- removed x\n")),
    ));
    cases.push((
        "plain versions".to_owned(),
        numbered(|n| format!("1.{n}.0\n")),
    ));
    cases.push((
        "products".to_owned(),
        numbered(|n| format!("### Thing{n} 1.2.{n}\nx\n")),
    ));
    cases.push(("variables".to_owned(), numbered(|n| format!("DB_HOST{n} "))));
    for (name, make) in cases {
        let [half, whole] = [BYTES / 2, BYTES].map(|bytes| took(&make(bytes)));
        let growth = whole.as_secs_f64() / half.as_secs_f64().max(f64::EPSILON);
        println!("{whole:>10.1?} {growth:>6.1} times half of it: {name}");
    }
}

fn numbered(piece: fn(usize) -> String) -> Make {
    Box::new(move |bytes| {
        let mut text = String::new();
        let mut n = 0;
        while text.len() < bytes {
            text.push_str(&piece(n));
            n += 1;
        }
        text
    })
}

/// As one release's notes, and as the file of all releases.
fn took(text: &str) -> Duration {
    let file = format!("## 1.3.0\n{text}\n\n## 1.2.0\n- fine\n");
    let began = Instant::now();
    let notes: Vec<Note> = sections(&file)
        .into_iter()
        .map(|section| Note {
            version: section.version,
            title: Some(section.heading),
            body: section.body.to_owned(),
            url: String::new(),
        })
        .collect();
    let words = default_words();
    let input = Input {
        jump: None,
        always_step: false,
        notes: Some(&notes),
        words: &words,
        rule: Rule::Weighed,
    };
    let assessment = assess(&input);
    black_box(summary(&notes, &assessment, 4096));
    black_box(touched(&notes, ["DB_HOST", "TZ", "X"].into_iter()));
    began.elapsed()
}
