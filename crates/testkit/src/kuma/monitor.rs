//! One monitor as a function of time: what was set when decides what its beats say.

use std::time::Duration;

use jiff::Timestamp;

/// What a beat says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It failed, and so did its retries.
    Down,
    /// It passed.
    Up,
    /// It failed, and is tried again.
    Pending,
    /// Somebody works on it.
    Maintenance,
}

impl State {
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Down => 0,
            Self::Up => 1,
            Self::Pending => 2,
            Self::Maintenance => 3,
        }
    }
}

#[derive(Debug)]
pub(super) struct Monitor {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) url: Option<String>,
    pub(super) port: Option<(String, u16)>,
    pub(super) public: bool,
    pub(super) paused: bool,
    added: Timestamp,
    every: Option<Duration>,
    found: Vec<(Timestamp, State)>,
    by_hand: Vec<(Timestamp, State)>,
}

impl Monitor {
    pub(super) fn new(
        id: u64,
        name: &str,
        url: Option<&str>,
        every: Option<Duration>,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            name: name.to_owned(),
            url: url.map(str::to_owned),
            port: None,
            public: true,
            paused: false,
            // It has been beating for a while.
            added: every.map_or(now, |every| now - every * 5),
            every,
            found: Vec::new(),
            by_hand: Vec::new(),
        }
    }

    pub(super) fn set(&mut self, state: State, now: Timestamp) {
        self.found.push((now, state));
    }

    pub(super) fn beat(&mut self, state: State, at: Timestamp) {
        self.by_hand.push((at, state));
        self.by_hand.sort_by_key(|(at, _)| *at);
    }

    /// Its beats up to now, oldest first, at most so many.
    pub(super) fn beats(&self, now: Timestamp, most: usize) -> Vec<(Timestamp, State)> {
        let mut beats = self.by_hand.clone();
        if let Some(every) = self.every {
            let mut at = self.added;
            while at <= now {
                let found = self.found.iter().rev().find(|(since, _)| *since <= at);
                beats.push((at, found.map_or(State::Up, |(_, state)| *state)));
                at += every;
            }
            beats.sort_by_key(|(at, _)| *at);
        }
        beats.retain(|(at, _)| *at <= now);
        let skipped = beats.len().saturating_sub(most);
        beats.split_off(skipped)
    }

    pub(super) fn last(&self, now: Timestamp) -> Option<(Timestamp, State)> {
        self.beats(now, 1).pop()
    }
}
