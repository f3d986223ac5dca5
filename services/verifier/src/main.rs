//! The verifier as a process of its own.

fn main() -> std::process::ExitCode {
    runtime::service("verifier", |settings, log, stop| async move {
        verifier::run(verifier::Config::from_settings(&settings)?, log, stop).await
    })
}
