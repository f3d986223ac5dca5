//! testkit.

pub mod apply;
pub mod git;
pub mod github;
pub mod http;
pub mod kubernetes;
pub mod lab;
pub mod nats;
mod server;
pub mod slack;
pub mod woodpecker;
