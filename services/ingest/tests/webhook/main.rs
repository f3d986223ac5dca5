//! Ingest as a whole, on a real NATS server, over real HTTP and gRPC.

mod announcing;
mod asking;
mod harness;
mod plans;
mod rate;
mod receiving;
mod starting;
