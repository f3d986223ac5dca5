use std::collections::{BTreeMap, BTreeSet};

use job::{Body, Fact};
use proptest::prelude::*;

use super::samples::bodies;
use super::*;

/// One line per fact: its name and its bytes, as the first build wrote them.
const FACTS: &str = include_str!("../../testdata/facts.txt");

fn fact(body: Body) -> Fact {
    Fact {
        id: "f1".into(),
        step: 1,
        at_ms: 1_700_000_000_123,
        min_reader: 1,
        body,
    }
}

#[test]
fn every_fact_comes_back_as_it_was() {
    for body in bodies() {
        let fact = fact(body);
        assert_eq!(decode(&encode(&fact)).as_ref(), Ok(&fact));
    }
}

#[test]
fn the_samples_name_every_fact() {
    let sampled: BTreeSet<&str> = bodies().iter().map(Body::name).collect();
    let all: BTreeSet<&str> = job::fact_names().iter().copied().collect();
    assert_eq!(sampled, all);
}

#[test]
fn facts_of_an_older_build_still_say_the_same() {
    let mut samples = BTreeMap::new();
    for body in bodies() {
        samples.entry(body.name()).or_insert(body);
    }
    let mut seen = 0;
    for line in FACTS.lines() {
        let (name, bytes) = line.split_once(' ').unwrap();
        let read = decode(&hex::decode(bytes).unwrap()).unwrap();
        assert_eq!(read, fact(samples.remove(name).unwrap()), "{name}");
        seen += 1;
    }
    assert!(seen >= 39, "a fixture was removed");
}

#[test]
fn a_newer_fact_is_refused_before_its_body_is_looked_at() {
    let need = Fact::READER + 1;
    let known = encode(&Fact {
        min_reader: need,
        ..fact(Body::Held)
    });
    assert_eq!(decode(&known), Err(DecodeError::MinReader { need }));

    let mut unknown = v1::FactHead { min_reader: need }.encode_to_vec();
    // Field 1000, three bytes that this build has no name for.
    unknown.extend([0xc2, 0x3e, 3, 1, 2, 3]);
    assert_eq!(decode(&unknown), Err(DecodeError::MinReader { need }));

    let mut changed = v1::FactHead { min_reader: need }.encode_to_vec();
    // `planned`, whose content is no message that this build can read.
    changed.extend([0x6a, 2, 0xff, 0xff]);
    assert_eq!(decode(&changed), Err(DecodeError::MinReader { need }));
}

#[test]
fn an_unknown_body_that_claims_to_be_readable_is_refused() {
    assert_eq!(
        decode(&[0xc2, 0x3e, 3, 1, 2, 3]),
        Err(DecodeError::Missing("body"))
    );
    assert_eq!(decode(&[]), Err(DecodeError::Missing("body")));
}

fn refusal(body: v1::fact::Body) -> DecodeError {
    let fact = v1::Fact {
        body: Some(body),
        ..v1::Fact::default()
    };
    decode(&fact.encode_to_vec()).unwrap_err()
}

#[test]
fn a_missing_part_is_named() {
    use v1::fact::Body as Wire;
    assert_eq!(
        refusal(Wire::Planned(v1::Planned { plan: None })),
        DecodeError::Missing("planned.plan")
    );
    let whole = v1::Plan {
        risk: Some(v1::Risk {
            level: v1::Level::Safe.into(),
            ..v1::Risk::default()
        }),
        windows: Some(v1::Windows::default()),
        limits: Some(v1::Limits::default()),
        policy: Some(v1::Policy::default()),
        ..v1::Plan::default()
    };
    for (plan, path) in [
        (
            v1::Plan {
                risk: None,
                ..whole.clone()
            },
            "planned.plan.risk",
        ),
        (
            v1::Plan {
                windows: None,
                ..whole.clone()
            },
            "planned.plan.windows",
        ),
        (
            v1::Plan {
                limits: None,
                ..whole.clone()
            },
            "planned.plan.limits",
        ),
        (
            v1::Plan {
                policy: None,
                ..whole.clone()
            },
            "planned.plan.policy",
        ),
    ] {
        let body = Wire::Planned(v1::Planned { plan: Some(plan) });
        assert_eq!(refusal(body), DecodeError::Missing(path));
    }
    assert_eq!(
        refusal(Wire::Skipped(v1::Skipped { reason: None })),
        DecodeError::Missing("skipped.reason")
    );
}

#[test]
fn an_unset_or_unknown_enumeration_is_named() {
    use v1::fact::Body as Wire;
    for number in [0, 99] {
        let requested = v1::Requested {
            source: number,
            ..v1::Requested::default()
        };
        let rollback = v1::RollbackRequested {
            cause: number,
            ..v1::RollbackRequested::default()
        };
        let aborted = v1::Aborted {
            transience: number,
            ..v1::Aborted::default()
        };
        for (body, field) in [
            (Wire::Requested(requested), "requested.source"),
            (
                Wire::RollbackRequested(rollback),
                "rollback_requested.cause",
            ),
            (Wire::Aborted(aborted), "aborted.transience"),
        ] {
            assert_eq!(refusal(body), DecodeError::Unknown { field, number });
        }
    }
}

proptest! {
    #[test]
    fn damaged_bytes_are_an_answer_and_never_a_panic(
        body in prop::sample::select(bodies()),
        cut in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut bytes = encode(&fact(body));
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Ok(read) = decode(&bytes) {
            // What was read at all is a whole fact: it can be written and read again.
            prop_assert_eq!(decode(&encode(&read)), Ok(read));
        }
    }

    #[test]
    fn any_bytes_are_an_answer_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = decode(&bytes);
    }
}
