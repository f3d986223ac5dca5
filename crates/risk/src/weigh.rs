//! Lines of release notes that announce breakage, each with its weight.
//!
//! The plain rule looks for words. This one also asks what a line speaks about: a removed setting
//! counts, a removed test does not, and "no breaking changes" says the opposite of its words. Each
//! line that is taken for harmless is named with the reason, so that a person can disagree.

mod context;
mod lower;
mod part;
mod signs;
mod title;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use self::context::{Context, lines};
use self::part::Part;
use crate::assess::Note;
use crate::lines::is_bullet;
use crate::scan::{MAX_QUOTE, quoted, visible};

/// What a line announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It says that something breaks.
    Breaking,
    /// It stands under a heading that says so.
    BreakingSection,
    /// Data or settings have to be brought to a new form.
    Migration,
    /// A setting, a part or a function is gone.
    Removed,
    /// A setting or a part is called otherwise.
    Renamed,
    /// Whoever runs it has to do something.
    Action,
    /// The database changes.
    Database,
    /// A weakness is closed.
    Security,
    /// It has a listed word, and announces nothing.
    Listed,
}

impl Kind {
    /// In words for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::BreakingSection => "breaking section",
            Self::Migration => "migration",
            Self::Removed => "removed",
            Self::Renamed => "renamed",
            Self::Action => "action",
            Self::Database => "database",
            Self::Security => "security",
            Self::Listed => "listed word",
        }
    }
}

/// A line that announces something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// What.
    pub kind: Kind,
    /// The version whose notes say it.
    pub version: String,
    /// The line, bounded; text of strangers.
    pub quote: String,
    /// Where people can read it.
    pub url: String,
    /// Why it is taken for harmless, if it is.
    pub lowered: Option<&'static str>,
}

/// How many lines of one release are told.
const MAX_PER_RELEASE: usize = 40;

/// Every line that announces something, in the order of the notes.
#[must_use]
pub fn weigh(notes: &[Note]) -> Vec<Announced> {
    let found = located(notes).into_iter();
    found.map(|(line, _)| line).collect()
}

/// The lines of a note, or its title.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// The note's place among all.
    pub(crate) note: usize,
    pub(crate) title: bool,
    /// Bytes of the visible text.
    pub(crate) bytes: Range<usize>,
}

/// As [`weigh`], with the place of each line.
pub(crate) fn located(notes: &[Note]) -> Vec<(Announced, Span)> {
    let bodies: Vec<_> = notes.iter().map(|note| visible(&note.body)).collect();
    let bodies: Vec<Vec<Context<'_>>> = notes
        .iter()
        .zip(&bodies)
        .map(|(note, body)| lines(note.title.as_deref(), body))
        .collect();
    let alike = alike(&bodies);
    let mut found = Vec::new();
    // What is older than the first release on the way concerns nobody.
    let oldest = notes.first().map_or("", |note| note.version.as_str());
    for (nth, (note, body)) in notes.iter().zip(&bodies).enumerate() {
        let (mut count, mut denied) = (0, false);
        let mut told: HashSet<String> = HashSet::new();
        let title = note.title.as_deref().map(visible);
        let title: Vec<Context<'_>> = title.iter().map(|title| Context::title(title)).collect();
        let lines = title.iter().map(|line| (true, line));
        for (in_title, line) in lines.chain(body.iter().map(|line| (false, line))) {
            denied = !line.heading && (denied || lower::says_none(&line.text));
            let Some((kind, lowered)) = judge(line, oldest, denied) else {
                continue;
            };
            let same = alike.get(line.text.as_ref()).copied().unwrap_or_default();
            let repeated = (same >= SERIES).then_some("it stands in each release alike");
            let lowered = lowered.or(repeated);
            // A release with a hundred bumps says nothing new with each.
            if count == MAX_PER_RELEASE && lowered.is_some() {
                continue;
            }
            count += usize::from(lowered.is_some());
            let quotes = telling(&line.text).into_iter().map(quoted);
            let new = quotes.filter(|quote| told.insert(quote.clone()));
            let span = Span {
                note: nth,
                title: in_title,
                bytes: line.place.clone(),
            };
            let announced = new.map(|quote| Announced {
                kind,
                version: note.version.clone(),
                quote,
                url: note.url.clone(),
                lowered,
            });
            found.extend(announced.map(|line| (line, span.clone())));
        }
    }
    found
}

/// What stands in so many releases says nothing of one of them.
const SERIES: usize = 3;

/// In how many releases each line stands.
fn alike<'a>(bodies: &'a [Vec<Context<'_>>]) -> HashMap<&'a str, usize> {
    let mut found = HashMap::new();
    for body in bodies.iter().filter(|_| bodies.len() >= SERIES) {
        let own: HashSet<&str> = body.iter().map(|line| line.text.as_ref()).collect();
        for line in own {
            *found.entry(line).or_default() += 1;
        }
    }
    found
}

/// What a release says first of what is new in it, on one line: an item of a list that is for those
/// who use the thing, and no bump, thanks or fix of the tests.
pub(crate) fn highlight(body: &str) -> Option<String> {
    let all = lines(None, body);
    let items = all
        .iter()
        .filter(|line| is_bullet(&line.text) && line.is_item() && !lower::is_noise(line));
    let text = items.map(|line| without_markup(&line.text)).next()?;
    let text = text.trim_start_matches(['-', '*', '+', ' ']);
    let words = text.split_whitespace().count();
    (words > 2).then(|| quoted(text))
}

/// `denied`: the section said that there is none.
fn judge(line: &Context<'_>, oldest: &str, denied: bool) -> Option<(Kind, Option<&'static str>)> {
    let words = without_sayings(&without_markup(without_reference(&line.text)));
    let sign = signs::kind(&words);
    let in_section = match line.part {
        _ if denied => None,
        Part::Breaking if line.is_item() && !line.is_remark() => Some(Kind::BreakingSection),
        Part::Removed if line.is_item() => Some(Kind::Removed),
        _ => None,
    };
    // Where it stands says more than that it names an advisory.
    let kind = match (sign, in_section) {
        (Some(Kind::Security), Some(section)) => section,
        (sign, section) => sign.or(section)?,
    };
    let lowered = lower::reason(line, &words, kind, sign.is_some(), oldest);
    // In a section about breakage what announces nothing by itself is no finding when harmless.
    if sign.is_none() && lowered.is_some() {
        return None;
    }
    Some((kind, lowered))
}

/// Without the mark of a list and the number of the change in front, which say nothing: `- [#12](…) -
/// Remove …` announces what `- Remove … (#12)` does.
fn without_reference(text: &str) -> &str {
    static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r"^\s*(?:[-*+•]\s+)?(?:(?:(?:PR|MR)\s+)?(?:\[#?!?\d{1,6}\]\([^)]*\)|\[?#\d{1,6}\]?|\[[0-9a-f]{7,40}\]\([^)]*\)|[0-9a-f]{7,40}\b)(?:\s*[-–:]\s+|:\s*|\s+)(?:\*\*[\w-]+\*\*:?\s+)?)+";
        Regex::new(pattern).expect("the pattern is a literal")
    });
    let reference = REFERENCE.find(text);
    reference
        .and_then(|found| text.get(found.end()..))
        .unwrap_or(text)
}

/// Without questions, without what is quoted and has several words, and without `the removed file`:
/// the text of a button or of a message is not said by the notes. One word may be a setting's name.
fn without_sayings(text: &str) -> String {
    static SAYING: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r#"(?i)(?:^|[\s(\[])"[^"\s][^"]*\s[^"]*"|“[^”]*\s[^”]*”|[^.!?;:]*\?[*_"”)]*\s|\b(?:the|a|an|of|already|any|shows?|returns?|returned|with) (?:removed|deleted|dropped|renamed|migrated) \w+|\bDELETE /\S*"#;
        Regex::new(pattern).expect("the pattern is a literal")
    });
    SAYING.replace_all(text, " ").into_owned()
}

/// Without tags, addresses and bold: what they spell is not said, and what emphasis divides is one
/// phrase. Spaces and hyphens that keep a line together become the usual ones.
fn without_markup(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    // Behind the last of them no search is worth its time.
    let (mut tags_end, mut links_end) = (rest.contains('>'), rest.contains(')'));
    while let Some(c) = rest.chars().next() {
        let until = |end: char, any: &mut bool| {
            let found = rest.find(end).map(|at| at + end.len_utf8());
            *any = found.is_some();
            found
        };
        let skipped = match c {
            '<' if tags_end && TAGS.iter().any(|tag| rest.starts_with(tag)) => {
                until('>', &mut tags_end)
            }
            ']' if links_end && rest.starts_with("](") => until(')', &mut links_end),
            'h' if rest.starts_with("http://") || rest.starts_with("https://") => {
                Some(rest.find([' ', ')', '>', '"']).unwrap_or(rest.len()))
            }
            '&' if rest.starts_with(SPACE) => Some(SPACE.len()),
            _ => None,
        };
        let bold = rest.starts_with("**");
        let width = skipped.unwrap_or_else(|| if bold { 2 } else { c.len_utf8() });
        match c {
            _ if skipped.is_some() => kept.push(' '),
            _ if bold => {}
            '\u{a0}' => kept.push(' '),
            '\u{2010}' | '\u{2011}' => kept.push('-'),
            c => kept.push(c),
        }
        rest = rest.get(width..).unwrap_or_default();
    }
    kept
}

/// A space that keeps a line together, as HTML writes it.
const SPACE: &str = "&nbsp;";

/// Tags that hold addresses or nothing for people.
const TAGS: [&str; 3] = ["<img", "<a ", "<!"];

/// The sentences of a paragraph.
fn sentences(text: &str) -> impl Iterator<Item = &str> + Clone {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (sentence, after) = rest.split_at_checked(end_of_sentence(rest))?;
        rest = after;
        (!sentence.is_empty()).then_some(sentence)
    })
}

/// The byte after the first mark that ends a sentence, with the space behind it.
fn end_of_sentence(text: &str) -> usize {
    let ends = text.match_indices(['.', '!', '?', ';', '。']);
    let end = ends.into_iter().find_map(|(at, mark)| {
        let after = at + mark.len();
        let space = text.get(after..)?.starts_with(' ');
        match mark {
            "。" => Some(after),
            _ => space.then_some(after + 1),
        }
    });
    end.unwrap_or(text.len())
}

/// So many sentences of one paragraph are quoted.
const MAX_SENTENCES: usize = 4;

/// The sentences of a paragraph that announce something; all of a short one.
fn telling(text: &str) -> Vec<&str> {
    if text.chars().count() <= MAX_QUOTE {
        return vec![text];
    }
    let told = sentences(text).filter(|sentence| signs::kind(sentence).is_some());
    let told: Vec<&str> = told.take(MAX_SENTENCES).collect();
    if told.is_empty() { vec![text] } else { told }
}

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;
