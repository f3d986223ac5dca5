//! End to end: real processes and a real NATS server and git host; outcomes are read from git and
//! the stub cluster.

mod admission;
mod backup;
mod branch;
mod charts;
mod ci;
mod cluster;
mod control;
mod credentials;
mod fences;
mod flight;
mod happy;
mod limits;
mod queue;
mod race;
mod refusals;
mod rollback;
mod said;
mod scale;
mod secrets;
mod shared;
mod split;
mod spool;
mod steps;
mod trace;
mod up;

const EBOOKS: (&str, &str) = ("ghcr.io/advplyr/audiobookshelf", "2.33.1");
