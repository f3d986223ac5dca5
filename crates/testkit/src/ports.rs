//! Ports on the loopback that stay somebody's own from before a process listens until after its
//! last restart.
//!
//! A port that is bound, read and let go again is anybody's: the system gives it to the next
//! connection that goes out, and tests make thousands of those. So these ports lie below the ones
//! that systems give away by themselves, and a lock on a file keeps the tests of all processes from
//! choosing the same one.

use std::fs::{File, Permissions};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Apart from those that `bowline up` chooses for its NATS server, which begin at 20,000.
const PORTS: Range<u16> = 10_000..20_000;
/// So many ports in a row that cannot be had mean that something else is wrong.
const TRIES: u32 = 1_000;

/// A port of 127.0.0.1 that no other test gets while this value lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    // The lock ends with the file.
    _lock: File,
}

impl Port {
    /// Chooses a port on which nobody listens.
    ///
    /// # Errors
    /// None of many tries found one; the error is the last one's.
    pub fn reserve() -> Result<Self> {
        let folder = folder()?;
        let mut last = None;
        for _ in 0..TRIES {
            match Self::take(&folder, any()) {
                Ok(port) => return Ok(port),
                Err(error) => last = Some(error),
            }
        }
        let last = last.unwrap_or_else(|| anyhow::anyhow!("nothing was tried"));
        Err(last.context(format!("no free port was found in {TRIES} tries")))
    }

    fn take(folder: &Path, number: u16) -> Result<Self> {
        let path = folder.join(number.to_string());
        let lock = File::create(&path).with_context(|| format!("failed to open {path:?}"))?;
        if lock.try_lock().is_err() {
            bail!("port {number} is another test's");
        }
        // Whoever knows nothing of the locks may listen there.
        TcpListener::bind((Ipv4Addr::LOCALHOST, number))
            .with_context(|| format!("failed to bind port {number}"))?;
        Ok(Self {
            number,
            _lock: lock,
        })
    }

    /// The number alone.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The port of 127.0.0.1.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }
}

/// Where the locks are; all users of a machine share it.
fn folder() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join("bowline-test-ports");
    if !folder.is_dir() {
        std::fs::create_dir_all(&folder).with_context(|| format!("failed to make {folder:?}"))?;
        // Only the one who made it may do so, and only that one needs to.
        let _refused = std::fs::set_permissions(&folder, Permissions::from_mode(0o777));
    }
    Ok(folder)
}

fn any() -> u16 {
    let size = u64::from(PORTS.end - PORTS.start);
    let random = RandomState::new().build_hasher().finish() % size;
    // The remainder is smaller than a range of u16.
    u16::try_from(random).map_or(PORTS.start, |offset| PORTS.start + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_given_to_nobody_else_until_it_is_let_go() {
        let folder = folder().unwrap();
        let port = Port::reserve().unwrap();
        let number = port.number();
        let again = Port::take(&folder, number).unwrap_err().to_string();
        assert!(again.contains("another test's"), "{again}");
        drop(port);
        Port::take(&folder, number).unwrap();
    }

    #[test]
    fn a_port_on_which_somebody_listens_is_not_given_away() {
        let folder = folder().unwrap();
        let port = Port::reserve().unwrap();
        let number = port.number();
        let _listener = TcpListener::bind(port.address()).unwrap();
        drop(port);
        let taken = Port::take(&folder, number).unwrap_err().to_string();
        assert!(taken.contains("failed to bind"), "{taken}");
    }

    #[test]
    fn the_ports_lie_below_those_of_outgoing_connections() {
        let path = "/proc/sys/net/ipv4/ip_local_port_range";
        let range = std::fs::read_to_string(path).unwrap_or_default();
        if let Some(first) = range.split_whitespace().next() {
            assert!(first.parse::<u16>().unwrap() >= PORTS.end, "{range}");
        }
    }
}
