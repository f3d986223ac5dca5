//! The HTTP checks: one GET, no redirects followed, the body unread.

use std::time::Duration;

use async_trait::async_trait;

use crate::ports::{Answer, Probe};
use crate::woodpecker::chain;

/// Asks addresses for their status.
#[derive(Debug)]
pub struct Http {
    careful: reqwest::Client,
    insecure: reqwest::Client,
}

impl Http {
    /// A probe that waits `timeout` for each answer.
    ///
    /// # Errors
    /// TLS could not be set up.
    pub fn new(timeout: Duration) -> Result<Http, reqwest::Error> {
        let client = || {
            reqwest::Client::builder()
                .timeout(timeout)
                .user_agent("bowline")
                .redirect(reqwest::redirect::Policy::none())
                // A connection that is kept would still lead to the old pod.
                .pool_max_idle_per_host(0)
        };
        Ok(Http {
            careful: client().build()?,
            insecure: client().tls_danger_accept_invalid_certs(true).build()?,
        })
    }
}

#[async_trait]
impl Probe for Http {
    async fn ask(&self, address: &str, insecure: bool) -> Answer {
        let client = if insecure {
            &self.insecure
        } else {
            &self.careful
        };
        let asked = client.get(address).send();
        let asked = async { asked.await.map_err(reqwest::Error::without_url) };
        match runtime::outside("http_check", Some(address), asked).await {
            Ok(answer) => Answer {
                status: u32::from(answer.status().as_u16()),
                why: String::new(),
            },
            Err(error) => Answer {
                status: 0,
                why: explained(&chain(&error)),
            },
        }
    }
}

/// The cause in the client's words; for a certificate, with what can be done about it.
fn explained(cause: &str) -> String {
    if cause.contains("certificate") {
        return format!(
            "{cause}; if the certificate is meant to be so, set `insecure_tls = true` for the \
             service or `verify.insecure_tls`"
        );
    }
    cause.to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::Arc;

    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::*;

    /// A server that vouches for itself and answers 200 to whoever trusts it.
    fn self_signed() -> String {
        let pem = include_bytes!("../testdata/self-signed.pem");
        let certificate = CertificateDer::from_pem_slice(pem).unwrap();
        let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = format!("https://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream);
                let mut request = [0; 1024];
                if stream.read(&mut request).is_ok() {
                    let answer =
                        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                    let _sent = stream.write_all(answer.as_bytes());
                }
            }
        });
        address
    }

    #[tokio::test]
    async fn a_certificate_that_nobody_vouches_for_is_explained_or_accepted() {
        crate::choose_cryptography();
        let address = self_signed();
        let http = Http::new(Duration::from_secs(5)).unwrap();
        let careful = http.ask(&address, false).await;
        let text = careful.to_string();
        assert!(text.starts_with("no answer ("), "{text}");
        assert!(
            text.contains("certificate") && text.contains("insecure_tls"),
            "{text}"
        );
        assert_eq!(http.ask(&address, true).await.status, 200);
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_says_so() {
        crate::choose_cryptography();
        let http = Http::new(Duration::from_secs(5)).unwrap();
        let text = http.ask("http://127.0.0.1:9/", false).await.to_string();
        assert!(text.contains("refused"), "{text}");
    }
}
