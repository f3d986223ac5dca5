//! Where the child nats-server listens, and what it asks for there.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;

use runtime::Secret;
use uuid::Uuid;

/// Below the ports that systems give to outgoing connections: nobody takes ours by chance while
/// the server starts again, and a client that knocks meanwhile cannot meet itself.
const PORTS: Range<u16> = 20_000..30_000;
/// So many taken ports in a row mean that something else is wrong.
const TRIES: u32 = 50;

/// Where a server is reached, chosen before it starts and kept when it starts again.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) port: u16,
    /// What the server calls itself: another server on the port is not taken for ours.
    pub(super) name: String,
    /// What it asks for.
    pub(super) token: Secret,
}

impl Address {
    /// A new name and token on a port that is free now.
    pub(super) fn anew() -> io::Result<Address> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..TRIES {
            let port = within(&PORTS, Uuid::new_v4().as_u128());
            match bindable(port) {
                Ok(()) => {
                    return Ok(Address {
                        port,
                        name: format!("bowline-{}", Uuid::new_v4().simple()),
                        token: Secret::new(format!(
                            "{}{}",
                            Uuid::new_v4().simple(),
                            Uuid::new_v4().simple()
                        )),
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Whether somebody else listens there.
    pub(super) fn is_taken(&self) -> bool {
        bindable(self.port).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
    }

    pub(super) fn socket(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// For clients; the token is given to them apart.
    pub(super) fn url(&self) -> String {
        format!("nats://{}", self.socket())
    }
}

fn bindable(port: u16) -> io::Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop)
}

fn within(range: &Range<u16>, random: u128) -> u16 {
    let size = u128::from(range.end - range.start);
    // The remainder is smaller than a u16 range.
    u16::try_from(random % size).map_or(range.start, |offset| range.start + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_within_its_range() {
        for (random, expected) in [(0, 10), (9, 19), (10, 10), (u128::MAX, 15)] {
            assert_eq!(within(&(10..20), random), expected);
        }
    }

    #[test]
    fn each_address_has_a_token_of_its_own_that_is_not_shown() {
        let (one, two) = (Address::anew().unwrap(), Address::anew().unwrap());
        assert_ne!(one.token, two.token);
        assert_eq!(one.token.expose().len(), 64);
        assert!(!format!("{one:?}").contains(one.token.expose()));
        assert!(!one.url().contains(one.token.expose()));
    }

    #[test]
    fn a_port_with_a_listener_is_taken() {
        let address = Address::anew().unwrap();
        assert!(!address.is_taken());
        let _listener = TcpListener::bind(address.socket()).unwrap();
        assert!(address.is_taken());
    }
}
