//! Ingest as a whole, on a real NATS server, over real HTTP and gRPC.

mod announcing;
mod asking;
mod controls;
mod harness;
mod looking;
mod plans;
mod rate;
mod receiving;
mod spooling;
mod starting;
mod wishing;
