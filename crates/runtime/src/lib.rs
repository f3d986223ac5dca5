//! What every start of a Bowline program shares: the configuration and its layers, secrets,
//! telemetry, health endpoints, signals, and a stop with grace.

pub mod settings;

pub mod catalogue;
pub mod config;
pub mod health;
mod main_with;
pub mod secret;
mod service;
pub mod signals;
pub mod telemetry;
pub mod tls;

pub use health::Health;
pub use main_with::{Context, main_with};
pub use secret::{Secret, SecretSource};
pub use service::{bus_settings, service};
pub use settings::Settings;
pub use signals::Shutdown;
