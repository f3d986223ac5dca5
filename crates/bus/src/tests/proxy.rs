use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Stands between a client and its server, and can hold back what the server says.
pub(super) struct Proxy {
    address: String,
    hold: watch::Sender<bool>,
    publishes: Arc<AtomicUsize>,
}

impl Proxy {
    pub(super) async fn before(url: &str) -> Proxy {
        let server = url.trim_start_matches("nats://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (hold, held) = watch::channel(false);
        let publishes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&publishes);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) =
                    TcpStream::connect(&server).await.unwrap().into_split();
                tokio::spawn(ask(from_client, to_server, Arc::clone(&counted)));
                tokio::spawn(answer(from_server, to_client, held.clone()));
            }
        });
        Proxy {
            address,
            hold,
            publishes,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// From now on the client hears nothing.
    pub(super) fn hold_answers(&self) {
        self.publishes.store(0, Ordering::SeqCst);
        self.hold.send_replace(true);
    }

    /// The client hears everything, also what was said meanwhile.
    pub(super) fn let_go(&self) {
        self.hold.send_replace(false);
    }

    /// How many messages with headers the client sent since it hears nothing.
    pub(super) fn publishes(&self) -> usize {
        self.publishes.load(Ordering::SeqCst)
    }
}

async fn ask(mut client: OwnedReadHalf, mut server: OwnedWriteHalf, publishes: Arc<AtomicUsize>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = client.read(&mut buffer).await {
        let bytes = &buffer[..length];
        let count = bytes
            .windows(5)
            .filter(|window| *window == b"HPUB ")
            .count();
        publishes.fetch_add(count, Ordering::SeqCst);
        if server.write_all(bytes).await.is_err() {
            return;
        }
    }
}

async fn answer(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    mut held: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = server.read(&mut buffer).await {
        if held.wait_for(|held| !held).await.is_err()
            || client.write_all(&buffer[..length]).await.is_err()
        {
            return;
        }
    }
}
