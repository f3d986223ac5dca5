//! What every start of a Bowline program shares: the configuration and its layers, secrets,
//! telemetry, metrics, health endpoints, signals, and a stop with grace.

pub mod settings;

pub mod catalogue;
pub mod config;
pub mod health;
mod main_with;
pub mod metrics;
pub mod probe;
pub mod secret;
mod service;
pub mod signals;
pub mod telemetry;
pub mod tls;

pub use health::Health;
pub use main_with::{Context, main_with, run_as};
pub use secret::{Secret, SecretSource};
pub use service::{bus_settings, on_log, open_log, service, service_with_health};
pub use settings::Settings;
pub use signals::Shutdown;
pub use telemetry::{effect, outside};
