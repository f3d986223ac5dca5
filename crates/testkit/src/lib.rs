//! testkit.

pub mod apply;
pub mod charts;
pub mod figures;
mod forge;
pub mod forgejo;
pub mod git;
pub mod github;
pub mod gitlab;
pub mod http;
pub mod kubernetes;
pub mod kuma;
pub mod lab;
pub mod nats;
pub mod otlp;
pub mod ports;
pub mod registry;
mod server;
pub mod slack;
pub mod woodpecker;
