//! What can happen, and random lists of it.

use job::Owner;

use crate::dice::Dice;

/// The services of the model's repository.
pub(crate) const SERVICES: usize = 3;
/// Those of them that have a database, all on one server.
pub(crate) const WITH_DATABASE: [usize; 2] = [0, 1];
/// Their versions, oldest first; all run the first one at the beginning.
pub(crate) const VERSIONS: [&str; 5] = ["1.0.0", "1.0.1", "1.0.2", "1.1.0", "2.0.0"];

/// A service and its version of which no image was ever published.
pub(crate) const UNPUBLISHED: (usize, &str) = (2, "1.0.1");

/// One thing that happens, and how many seconds pass after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Op {
    pub(crate) what: What,
    pub(crate) then: u64,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// A webhook, so many times at once.
    Webhook {
        service: usize,
        version: usize,
        times: u32,
    },
    /// A person asks for a version.
    Ask { service: usize, version: usize },
    /// A service dies after so many further calls of the outside, so many milliseconds and so many
    /// steps of the runtime, and is back after so many seconds.
    Kill {
        owner: Owner,
        calls: u32,
        late: u64,
        steps: u32,
        down: u64,
    },
    /// The log answers nobody for so many seconds.
    LogAway(u64),
    /// The log loses, repeats, delays and lags, as badly as this, until it is told otherwise.
    Trouble(u32),
    /// What the next run of CI does.
    Ci(CiScript),
    /// How a version does when it is rolled out next.
    Version {
        service: usize,
        version: usize,
        health: Health,
    },
    /// What the next backup Job does.
    Backup(BackupScript),
    /// Something outside is not reached for so many seconds.
    Away(Outside, u64),
    /// The next push lands, and its answer is lost.
    PushAnswerLost,
    /// The next push is refused.
    PushRefused,
    /// Somebody else commits.
    Foreign(Foreign),
    /// The `CronJob` runs by its schedule.
    Scheduled,
    /// The node of two services goes away for so many seconds.
    NodeAway(u64),
    /// A person pauses a service, or all of them, for so many seconds.
    Pause {
        service: Option<usize>,
        seconds: u64,
    },
    /// A person lets so many upgrades into a window, until all trouble ends.
    Limit(usize),
    /// A person does something to the n-th upgrade to which it can be done.
    Person { act: Act, nth: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CiScript {
    Passes(u64),
    Fails(u64),
    FailsThoughApplied(u64),
    PassesWithoutEffect(u64),
    NeverAppears,
    Hangs,
    Killed(u64),
    /// Is stopped by the next push, if it comes in time.
    Superseded(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Good,
    CrashLoop,
    OutOfMemory,
    NeverReady,
    /// Is ready, and answers with an error.
    Broken,
    /// Is ready only after so many seconds.
    Slow(u64),
    /// Is well for so many seconds and then crashes.
    Late(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackupScript {
    Succeeds(u64),
    Fails(u64),
    Vanishes,
    Hangs,
    Refused,
    AnswerLost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outside {
    Git,
    Ci,
    Cluster,
    Jobs,
    Notes,
    Registry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// Something that has nothing to do with us.
    Elsewhere,
    /// A service's version.
    Version { service: usize, version: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Approve,
    Cancel,
    Retry,
    Resolve,
    Rollback,
}

/// A random list.
pub(crate) fn list(dice: &mut Dice) -> Vec<Op> {
    let length = dice.between(4, 22);
    let mut ops = vec![Op {
        what: webhook(dice),
        then: 0,
    }];
    for _ in 0..length {
        ops.push(op(dice));
    }
    ops
}

fn webhook(dice: &mut Dice) -> What {
    What::Webhook {
        service: service(dice),
        version: version(dice),
        times: if dice.one_in(4) { 2 } else { 1 },
    }
}

fn service(dice: &mut Dice) -> usize {
    usize::try_from(dice.below(SERVICES as u64)).expect("small")
}

fn version(dice: &mut Dice) -> usize {
    usize::try_from(dice.between(1, VERSIONS.len() as u64 - 1)).expect("small")
}

fn op(dice: &mut Dice) -> Op {
    let what = any(dice);
    let then = match dice.below(10) {
        0..=2 => 0,
        3..=6 => dice.between(1, 60),
        7..=8 => dice.between(60, 600),
        _ => dice.between(900, 5_400),
    };
    Op { what, then }
}

fn any(dice: &mut Dice) -> What {
    let owners = Owner::WITH_INBOX;
    match dice.below(100) {
        0..=15 => webhook(dice),
        16..=19 => What::Ask {
            service: service(dice),
            version: version(dice),
        },
        20..=36 => What::Kill {
            owner: dice.of(&owners),
            calls: u32::try_from(dice.below(6)).expect("small"),
            late: dice.below(1_500),
            steps: u32::try_from(dice.below(20)).expect("small"),
            down: dice.below(90),
        },
        37..=39 => What::LogAway(dice.between(1, 300)),
        40..=44 => What::Trouble(u32::try_from(dice.below(4)).expect("small")),
        45..=55 => What::Ci(ci(dice)),
        56..=63 => What::Version {
            service: service(dice),
            version: version(dice),
            health: health(dice),
        },
        64..=67 => What::Backup(backup(dice)),
        68..=72 => away(dice),
        73..=74 => What::PushAnswerLost,
        75 => What::PushRefused,
        76..=79 => What::Foreign(if dice.one_in(2) {
            Foreign::Elsewhere
        } else {
            Foreign::Version {
                service: service(dice),
                version: usize::try_from(dice.below(VERSIONS.len() as u64)).expect("small"),
            }
        }),
        80 => What::Scheduled,
        81..=82 => What::NodeAway(dice.between(10, 900)),
        83..=84 => What::Pause {
            service: (!dice.one_in(3)).then(|| service(dice)),
            seconds: dice.between(60, 7_200),
        },
        85 => What::Limit(usize::try_from(dice.between(1, 6)).expect("small")),
        _ => What::Person {
            act: dice.of(&[
                Act::Approve,
                Act::Cancel,
                Act::Cancel,
                Act::Retry,
                Act::Resolve,
                Act::Rollback,
                Act::Rollback,
            ]),
            nth: usize::try_from(dice.below(4)).expect("small"),
        },
    }
}

fn away(dice: &mut Dice) -> What {
    let outside = dice.of(&[
        Outside::Git,
        Outside::Ci,
        Outside::Cluster,
        Outside::Jobs,
        Outside::Notes,
        Outside::Registry,
    ]);
    let seconds = if dice.one_in(4) {
        dice.between(1_800, 6_000)
    } else {
        dice.between(5, 600)
    };
    What::Away(outside, seconds)
}

fn ci(dice: &mut Dice) -> CiScript {
    let seconds = dice.between(1, 400);
    dice.of(&[
        CiScript::Passes(seconds),
        CiScript::Fails(seconds),
        CiScript::Fails(seconds),
        CiScript::FailsThoughApplied(seconds),
        CiScript::PassesWithoutEffect(seconds),
        CiScript::NeverAppears,
        CiScript::Hangs,
        CiScript::Hangs,
        CiScript::Killed(seconds),
        CiScript::Superseded(seconds),
    ])
}

fn health(dice: &mut Dice) -> Health {
    let seconds = dice.between(10, 600);
    dice.of(&[
        Health::Good,
        Health::CrashLoop,
        Health::OutOfMemory,
        Health::NeverReady,
        Health::Broken,
        Health::Slow(seconds),
        Health::Late(seconds),
        Health::Late(seconds / 8),
    ])
}

fn backup(dice: &mut Dice) -> BackupScript {
    let seconds = dice.between(1, 120);
    dice.of(&[
        BackupScript::Succeeds(seconds),
        BackupScript::Succeeds(seconds * 30),
        BackupScript::Fails(seconds),
        BackupScript::Vanishes,
        BackupScript::Hangs,
        BackupScript::Refused,
        BackupScript::AnswerLost,
    ])
}
