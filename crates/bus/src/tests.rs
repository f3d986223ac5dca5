//! One suite over every implementation of the log, and what only NATS can do wrong.

mod jetstream;
mod proxy;
mod sample;
mod suite;
mod until;
