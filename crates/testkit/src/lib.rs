//! testkit.

pub mod apply;
pub mod figures;
pub mod git;
pub mod github;
pub mod http;
pub mod kubernetes;
pub mod kuma;
pub mod lab;
pub mod nats;
pub mod otlp;
pub mod ports;
mod server;
pub mod slack;
pub mod woodpecker;
