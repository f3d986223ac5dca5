//! The cryptography behind TLS, chosen once per process.

/// Chooses *ring* for every TLS connection of this process; may be called again.
///
/// Without it the HTTP client cannot be built: no provider is compiled in, because the usual one
/// takes minutes to compile.
pub fn install() {
    // An error only says that a provider was chosen before.
    let _chosen_before = rustls::crypto::ring::default_provider().install_default();
}
