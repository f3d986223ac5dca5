//! End to end: real processes and a real NATS server and git host; outcomes are read from git and
//! the stub cluster.

mod admission;
mod backup;
mod happy;
mod race;
mod refusals;
mod rollback;
mod steps;

const EBOOKS: (&str, &str) = ("ghcr.io/advplyr/audiobookshelf", "2.33.1");
