//! The spool's file as text, one line for each request. Pure.
//!
//! ```text
//! + <checksum> <image>:<tag> <fact>
//! ```
//!
//! `+` says that the request waits; a line that begins with `-` is done. `image:tag` is for people.
//! The fact is `requested` with the time at which the request came in, as the log would hold it, in
//! hexadecimal digits, so that whatever a request carries is kept here too.

use std::ops::Range;

use job::{Body, Fact, Request};
use sha2::{Digest as _, Sha256};

/// How a line begins that waits.
const WAITS: &[u8] = b"+ ";
/// What its first byte becomes when its request is in the log.
pub(super) const DONE: u8 = b'-';
/// So many bytes of the checksum are kept.
const CHECKSUM: usize = 8;

/// A request that waits for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When it came in, in milliseconds since the Unix epoch.
    pub received_ms: i64,
    /// What is asked for.
    pub request: Request,
}

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// What waits and the bytes of its line, oldest first.
    pub(super) waiting: Vec<(Range<usize>, Record)>,
    /// What cannot be read.
    pub(super) bad: Vec<Bad>,
    /// Up to here the lines are complete. Behind is what a power cut left of a line that was
    /// never answered for.
    pub(super) complete: usize,
}

/// A complete line that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// Where it stands.
    pub(super) at: usize,
    /// It, with its end.
    pub(super) line: Vec<u8>,
    /// What is wrong with it.
    pub(super) why: String,
}

/// The line of a request, with its end.
pub(super) fn write(record: &Record) -> Vec<u8> {
    let Request { image, tag, .. } = &record.request;
    let name: String = format!("{image}:{tag}")
        .chars()
        .map(|char| if char.is_ascii_graphic() { char } else { '?' })
        .collect();
    let fact = wire::encode(&Fact {
        id: String::new(),
        step: 0,
        at_ms: record.received_ms,
        min_reader: 1,
        body: Body::Requested(record.request.clone()),
    });
    let rest = format!("{name} {}", hex::encode(fact));
    let mut line = WAITS.to_vec();
    line.extend(checksum(rest.as_bytes()).bytes());
    line.push(b' ');
    line.extend(rest.bytes());
    line.push(b'\n');
    line
}

/// Reads a whole file.
pub(super) fn read(bytes: &[u8]) -> Contents {
    let mut contents = Contents::default();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(text) = line.strip_suffix(b"\n") else {
            break;
        };
        let at = contents.complete;
        contents.complete += line.len();
        if text.first() == Some(&DONE) {
            continue;
        }
        match parse(text) {
            Ok(record) => contents.waiting.push((at..contents.complete, record)),
            Err(why) => contents.bad.push(Bad {
                at,
                line: line.to_vec(),
                why,
            }),
        }
    }
    contents
}

fn parse(text: &[u8]) -> Result<Record, String> {
    let rest = text.strip_prefix(WAITS).ok_or("it does not begin with +")?;
    let digits = rest
        .get(..2 * CHECKSUM)
        .filter(|_| rest.get(2 * CHECKSUM) == Some(&b' '))
        .ok_or("it has no checksum")?;
    let rest = rest.get(2 * CHECKSUM + 1..).unwrap_or_default();
    if checksum(rest).as_bytes() != digits {
        return Err("its checksum is wrong".to_owned());
    }
    let fact = rest.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let fact = hex::decode(fact).map_err(|error| error.to_string())?;
    let fact = wire::decode(&fact).map_err(|error| error.to_string())?;
    let Body::Requested(request) = fact.body else {
        return Err(format!("it holds `{}`", fact.body.name()));
    };
    Ok(Record {
        received_ms: fact.at_ms,
        request,
    })
}

fn checksum(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    hex::encode(digest.get(..CHECKSUM).unwrap_or_default())
}

/// A webhook for this tag.
#[cfg(test)]
pub(super) fn sample(tag: &str, received_ms: i64) -> Record {
    Record {
        received_ms,
        request: Request {
            repository: "acme/infra".to_owned(),
            image: "docker.io/a/b".to_owned(),
            tag: tag.to_owned(),
            chart: false,
            digest: Some("sha256:0a0a".to_owned()),
            status: "new".to_owned(),
            source: job::Source::Diun,
            hub_link: String::new(),
            attempt: 1,
            retry_of: None,
            lift_fence: false,
            parent: None,
            service: None,
            by: String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use job::Source;
    use proptest::prelude::*;

    use super::*;

    fn record() -> impl Strategy<Value = Record> {
        let source = prop_oneof![
            Just(Source::Diun),
            Just(Source::DiunEntry),
            Just(Source::Person)
        ];
        let digest = prop::option::of("[a-z0-9:]{1,20}");
        (any::<i64>(), ".{0,20}", ".{0,9}", source, digest, ".{0,30}").prop_map(
            |(received_ms, image, tag, source, digest, hub_link)| Record {
                received_ms,
                request: Request {
                    image,
                    source,
                    digest,
                    hub_link,
                    lift_fence: source == Source::Person,
                    ..sample(&tag, 0).request
                },
            },
        )
    }

    fn records() -> impl Strategy<Value = Vec<Record>> {
        prop::collection::vec(record(), 1..6)
    }

    fn waiting(contents: &Contents) -> Vec<&Record> {
        contents.waiting.iter().map(|(_, record)| record).collect()
    }

    #[test]
    fn the_form_of_a_line_stays_as_it_is() {
        let line = String::from_utf8(write(&sample("1.0.1", 1_767_225_600_000))).unwrap();
        assert_eq!(line, include_str!("testdata/line.txt"));
    }

    proptest! {
        /// Cut anywhere, a file holds exactly the records that were written in full before the cut.
        #[test]
        fn a_power_cut_costs_at_most_the_record_that_was_being_written(
            records in records(), cut in any::<prop::sample::Index>(),
        ) {
            let lines: Vec<Vec<u8>> = records.iter().map(write).collect();
            let file = lines.concat();
            let cut = cut.index(file.len() + 1);
            let contents = read(&file[..cut]);
            let mut end = 0;
            let complete = lines.iter().take_while(|line| { end += line.len(); end <= cut }).count();
            prop_assert_eq!(waiting(&contents), records[..complete].iter().collect::<Vec<_>>());
            prop_assert!(contents.bad.is_empty());
            prop_assert_eq!(contents.complete, lines[..complete].concat().len());
        }

        /// A damaged byte costs no record but its own (two, if it joined them), and what is lost is told.
        #[test]
        fn damage_in_the_middle_is_set_aside_and_the_rest_is_read(
            records in records(), at in any::<prop::sample::Index>(), bit in 0_u8..8,
        ) {
            let lines: Vec<Vec<u8>> = records.iter().map(write).collect();
            let mut file = lines.concat();
            // Behind the last line's end there is nothing to tell damage from a cut.
            let at = at.index(file.len() - 1);
            file[at] ^= 1 << bit;
            let contents = read(&file);
            let mut end = 0;
            let hit = lines.iter().take_while(|line| { end += line.len(); end <= at }).count();
            let joined = at + 1 == lines[..=hit].concat().len();
            let mut left: Vec<&Record> = records.iter().collect();
            left.drain(hit..(hit + 1 + usize::from(joined)).min(records.len()));
            prop_assert_eq!(waiting(&contents), left);
            prop_assert!(!contents.bad.is_empty());
            prop_assert_eq!(contents.complete, file.len());
        }

        #[test]
        fn what_is_done_waits_no_more(records in records(), which in any::<prop::sample::Index>()) {
            let mut file = records.iter().map(write).collect::<Vec<_>>().concat();
            let which = which.index(records.len());
            let at = read(&file).waiting[which].0.start;
            file[at] = DONE;
            let mut left: Vec<&Record> = records.iter().collect();
            left.remove(which);
            let contents = read(&file);
            prop_assert_eq!(waiting(&contents), left);
            prop_assert!(contents.bad.is_empty());
        }
    }
}
