//! What `bowline up` says of itself when it starts.

use runtime::Settings;

use super::keep::Place;

/// Where everything is. No secret is in it.
pub(super) fn text(settings: &Settings, own: Option<&Place>) -> String {
    let ingest = &settings.ingest;
    let data = settings.data_dir.display();
    let nats = match own {
        Some(place) => format!(
            "{} {}, started here on {}, its store in {data}/nats",
            place.program.display(),
            place.version,
            place.address.socket()
        ),
        None => format!("{} (nats.url)", settings.nats.shown()),
    };
    let health = match settings.health.listen {
        Some(address) => format!("http://{address}/readyz"),
        None => "not served (health.listen)".to_owned(),
    };
    let mode = crate::config::mode(settings);
    format!(
        "Bowline watches over {repository}, branch {branch}\n  \
           mode         {mode}\n  \
           webhook      http://{webhook}/webhook/<secret>\n  \
           gRPC         http://{grpc}\n  \
           health       {health}\n  \
           data         {data}\n  \
           nats-server  {nats}\n\
         Ctrl-C stops it.",
        repository = settings.repository.name,
        branch = settings.repository.branch,
        webhook = ingest.listen,
        grpc = ingest.grpc_listen,
    )
}

#[cfg(test)]
mod tests {
    use runtime::Secret;
    use runtime::settings::Mode;
    use semver::Version;

    use super::*;
    use crate::up::port::Address;

    fn settings() -> Settings {
        let mut settings = Settings::default();
        settings.repository.name = "acme/infra".to_owned();
        settings.data_dir = "/var/lib/bowline".into();
        settings
    }

    #[test]
    fn it_says_where_everything_is_and_nothing_secret() {
        let place = Place {
            address: Address {
                port: 23_456,
                name: "bowline-1".to_owned(),
                token: Secret::new("hush"),
            },
            program: "/opt/nats-server".into(),
            version: Version::new(2, 15, 1),
        };
        let expected = "\
Bowline watches over acme/infra, branch main
  mode         auto: upgrades are carried out
  webhook      http://127.0.0.1:8080/webhook/<secret>
  gRPC         http://127.0.0.1:8081
  health       not served (health.listen)
  data         /var/lib/bowline
  nats-server  /opt/nats-server 2.15.1, started here on 127.0.0.1:23456, its store in /var/lib/bowline/nats
Ctrl-C stops it.";
        assert_eq!(text(&settings(), Some(&place)), expected);
    }

    #[test]
    fn another_server_is_named_without_its_password() {
        let mut settings = settings();
        settings.mode = Mode::Observe;
        settings.nats.url = Some("nats://me:hush@nats.example.org:4222/".to_owned());
        settings.health.listen = Some(([127, 0, 0, 1], 9000).into());
        let text = text(&settings, None);
        for part in [
            "nats-server  nats.example.org:4222 (nats.url)",
            "http://127.0.0.1:9000/readyz",
            "nothing is touched",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("hush"), "{text}");
    }
}
