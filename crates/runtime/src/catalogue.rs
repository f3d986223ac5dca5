//! The built-in catalogue: where the source of well-known images and charts lives.
//!
//! The configuration's `sources` adds to it and overrides it. What is in neither is found by
//! auto-detection, which is the analyzer's.

mod charts;

use std::fmt;

pub use charts::{CHARTS_OF, Chart, app_source, chart_of, images_of};

/// A source repository on a git host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// The host, such as `github.com`.
    pub host: &'a str,
    /// The path on the host, such as `immich-app/immich`.
    pub path: &'a str,
}

impl<'a> Source<'a> {
    /// Reads `owner/repository` (on GitHub) or `host/path`; nothing when it is neither.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (first, rest) = text.split_once('/')?;
        let source = if first.contains('.') {
            Self {
                host: first,
                path: rest,
            }
        } else {
            Self {
                host: "github.com",
                path: text,
            }
        };
        let mut parts = source.path.split('/');
        let complete = parts.clone().count() >= 2
            && parts.all(|part| !part.is_empty() && !part.contains([' ', ':', '?', '#']));
        let on_github = source.host == "github.com";
        (complete && (!on_github || source.path.split('/').count() == 2)).then_some(source)
    }
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.host, self.path)
    }
}

/// The source of an image without its tag, if it is in the catalogue.
#[must_use]
pub fn image(name: &str) -> Option<Source<'static>> {
    let wanted = short(name);
    let (_, source) = IMAGES.iter().find(|(known, _)| short(known) == wanted)?;
    Source::parse(source)
}

/// The source of the charts in a chart repository, if it is in the catalogue.
#[must_use]
pub fn chart(repository: &str) -> Option<Source<'static>> {
    let wanted = repository.trim_end_matches('/');
    let (_, source) = CHARTS
        .iter()
        .find(|(known, _)| chart_matches(known, wanted))?;
    Source::parse(source)
}

/// Whether much depends on a service of this name.
#[must_use]
pub fn is_critical(service: &str) -> bool {
    CRITICAL.contains(&service)
}

/// Whether an image is what others build on or run a script in, and no service of its own.
#[must_use]
pub fn is_base(image: &str) -> bool {
    BASES.contains(&short(image))
}

/// Images that stand in init containers, sidecars and `CronJob`s of services that have nothing else
/// in common. Names on Docker Hub as it shortens them.
const BASES: [&str; 43] = [
    // Systems.
    "alpine",
    "busybox",
    "debian",
    "ubuntu",
    "fedora",
    "rockylinux",
    "almalinux",
    "archlinux",
    "redhat/ubi8",
    "redhat/ubi9",
    "registry.access.redhat.com/ubi9",
    "registry.access.redhat.com/ubi9/ubi-minimal",
    "gcr.io/distroless/base",
    "gcr.io/distroless/static",
    "cgr.dev/chainguard/wolfi-base",
    // Languages.
    "python",
    "node",
    "golang",
    "ruby",
    "perl",
    "php",
    "rust",
    "eclipse-temurin",
    "openjdk",
    // Tools.
    "bash",
    "curlimages/curl",
    "alpine/curl",
    "alpine/git",
    "bitnami/git",
    "alpine/helm",
    "alpine/k8s",
    "alpine/openssl",
    "alpine/socat",
    "alpine/terragrunt",
    "bitnami/kubectl",
    "bitnamilegacy/kubectl",
    "rancher/kubectl",
    "registry.k8s.io/kubectl",
    "bitnami/os-shell",
    "bitnamilegacy/os-shell",
    "mikefarah/yq",
    "rclone/rclone",
    "nicolaka/netshoot",
];

/// Services that others need to run, to be reached or to be upgraded: CI, git hosts, ingress, DNS,
/// storage, secrets, NATS, and Bowline itself. Names of stacks.
const CRITICAL: [&str; 48] = [
    // CI and git hosts.
    "woodpecker",
    "woodpecker-ci",
    "drone",
    "jenkins",
    "argocd",
    "argo-cd",
    "flux",
    "gitea",
    "forgejo",
    "gitlab",
    "registry",
    "harbor",
    // Ingress and the network.
    "traefik",
    "ingress-nginx",
    "nginx-ingress",
    "haproxy",
    "caddy",
    "cloudflared",
    "cert-manager",
    "metallb",
    "calico",
    "cilium",
    // DNS.
    "coredns",
    "dns",
    "technitium",
    "pihole",
    "pi-hole",
    "adguard",
    "adguard-home",
    "bind",
    "unbound",
    "external-dns",
    // Storage.
    "longhorn",
    "rook",
    "rook-ceph",
    "ceph",
    "minio",
    "nfs-csi",
    "csi-driver-nfs",
    "democratic-csi",
    "openebs",
    // Secrets.
    "vault",
    "openbao",
    "external-secrets",
    "sealed-secrets",
    // What Bowline stands on.
    "nats",
    "diun",
    "bowline",
];

/// The form in which images are compared: without what Docker Hub leaves out.
pub(crate) fn short(image: &str) -> &str {
    let name = image.strip_prefix("docker.io/").unwrap_or(image);
    name.strip_prefix("library/").unwrap_or(name)
}

/// A `*` in a known chart repository stands for any host.
fn chart_matches(known: &str, wanted: &str) -> bool {
    match known.split_once('*') {
        Some((start, end)) => wanted
            .strip_prefix(start)
            .is_some_and(|rest| rest.ends_with(end)),
        None => known.trim_end_matches('/') == wanted,
    }
}

/// Image and its source repository.
pub const IMAGES: [(&str, &str); 50] = [
    ("ghcr.io/immich-app/immich-server", "immich-app/immich"),
    (
        "ghcr.io/immich-app/immich-machine-learning",
        "immich-app/immich",
    ),
    ("docker.io/vaultwarden/server", "dani-garcia/vaultwarden"),
    ("vaultwarden/server", "dani-garcia/vaultwarden"),
    (
        "docker.io/mailserver/docker-mailserver",
        "docker-mailserver/docker-mailserver",
    ),
    (
        "mailserver/docker-mailserver",
        "docker-mailserver/docker-mailserver",
    ),
    ("docker.n8n.io/n8nio/n8n", "n8n-io/n8n"),
    ("headscale/headscale", "juanfont/headscale"),
    ("technitium/dns-server", "TechnitiumSoftware/DnsServer"),
    (
        "ghcr.io/paperless-ngx/paperless-ngx",
        "paperless-ngx/paperless-ngx",
    ),
    ("ghcr.io/blakeblackshear/frigate", "blakeblackshear/frigate"),
    (
        "ghcr.io/dgtlmoon/changedetection.io",
        "dgtlmoon/changedetection.io",
    ),
    ("ghcr.io/linkwarden/linkwarden", "linkwarden/linkwarden"),
    ("ghcr.io/open-webui/open-webui", "open-webui/open-webui"),
    ("ghcr.io/advplyr/audiobookshelf", "advplyr/audiobookshelf"),
    ("ghcr.io/browserless/chromium", "browserless/chromium"),
    ("ghcr.io/rybbit-io/rybbit-backend", "rybbit-io/rybbit"),
    ("ghcr.io/rybbit-io/rybbit-client", "rybbit-io/rybbit"),
    (
        "ghcr.io/gurucomputing/headscale-ui",
        "gurucomputing/headscale-ui",
    ),
    (
        "ghcr.io/dmunozv04/isponsorblocktv",
        "dmunozv04/iSponsorBlockTV",
    ),
    (
        "ghcr.io/gramps-project/grampsweb",
        "gramps-project/gramps-web",
    ),
    (
        "ghcr.io/project-osrm/osrm-backend",
        "Project-OSRM/osrm-backend",
    ),
    (
        "ghcr.io/flaresolverr/flaresolverr",
        "FlareSolverr/FlareSolverr",
    ),
    (
        "ghcr.io/therobbiedavis/listenarr",
        "therobbiedavis/listenarr",
    ),
    ("ghcr.io/immichframe/immichframe", "immichframe/ImmichFrame"),
    (
        "lscr.io/linuxserver/qbittorrent",
        "linuxserver/docker-qbittorrent",
    ),
    ("lscr.io/linuxserver/lidarr", "linuxserver/docker-lidarr"),
    (
        "lscr.io/linuxserver/prowlarr",
        "linuxserver/docker-prowlarr",
    ),
    ("lscr.io/linuxserver/readarr", "linuxserver/docker-readarr"),
    (
        "lscr.io/linuxserver/speedtest-tracker",
        "linuxserver/docker-speedtest-tracker",
    ),
    ("privatebin/nginx-fpm-alpine", "PrivateBin/PrivateBin"),
    ("freshrss/freshrss", "FreshRSS/FreshRSS"),
    ("hackmdio/hackmd", "hackmdio/codimd"),
    ("onlyoffice/documentserver", "ONLYOFFICE/DocumentServer"),
    ("netboxcommunity/netbox", "netbox-community/netbox"),
    ("stirlingtools/stirling-pdf", "Stirling-Tools/Stirling-PDF"),
    ("phpipam/phpipam-www", "phpipam/phpipam"),
    ("rhasspy/wyoming-whisper", "rhasspy/wyoming-addons"),
    ("rhasspy/wyoming-piper", "rhasspy/wyoming-addons"),
    ("clickhouse/clickhouse-server", "ClickHouse/ClickHouse"),
    (
        "docker.io/athomasson2/ebook2audiobook",
        "athomasson2/ebook2audiobook",
    ),
    (
        "amruthpillai/reactive-resume",
        "AmruthPillai/Reactive-Resume",
    ),
    ("dpage/pgadmin4", "pgadmin-org/pgadmin4"),
    ("ghcr.io/yourok/torrserver", "YouROK/TorrServer"),
    (
        "opentripplanner/opentripplanner",
        "opentripplanner/OpenTripPlanner",
    ),
    (
        "codeberg.org/forgejo/forgejo",
        "codeberg.org/forgejo/forgejo",
    ),
    ("shlinkio/shlink", "shlinkio/shlink"),
    ("shlinkio/shlink-web-client", "shlinkio/shlink-web-client"),
    ("dgtlmoon/sockpuppetbrowser", "dgtlmoon/sockpuppetbrowser"),
    ("matrixdotorg/synapse", "element-hq/synapse"),
];

/// Chart repository and its source repository.
pub const CHARTS: [(&str, &str); 22] = [
    ("https://charts.goauthentik.io/", "goauthentik/authentik"),
    (
        "https://traefik.github.io/charts",
        "traefik/traefik-helm-chart",
    ),
    ("https://kyverno.github.io/kyverno/", "kyverno/kyverno"),
    (
        "https://mysql.github.io/mysql-operator/",
        "mysql/mysql-operator",
    ),
    (
        "https://cloudnative-pg.github.io/charts",
        "cloudnative-pg/cloudnative-pg",
    ),
    (
        "https://charts.external-secrets.io",
        "external-secrets/external-secrets",
    ),
    ("https://metallb.github.io/metallb", "metallb/metallb"),
    ("https://nextcloud.github.io/helm/", "nextcloud/helm"),
    (
        "https://crowdsecurity.github.io/helm-charts",
        "crowdsecurity/helm-charts",
    ),
    (
        "https://helm.releases.hashicorp.com",
        "hashicorp/vault-helm",
    ),
    (
        "https://bitnami-labs.github.io/sealed-secrets",
        "bitnami-labs/sealed-secrets",
    ),
    (
        "https://grafana.github.io/helm-charts",
        "grafana/helm-charts",
    ),
    (
        "https://prometheus-community.github.io/helm-charts",
        "prometheus-community/helm-charts",
    ),
    (
        "https://democratic-csi.github.io/charts/",
        "democratic-csi/democratic-csi",
    ),
    (
        "https://stakater.github.io/stakater-charts",
        "stakater/Reloader",
    ),
    (
        "https://topolvm.github.io/pvc-autoresizer",
        "topolvm/pvc-autoresizer",
    ),
    (
        "https://kubernetes-sigs.github.io/descheduler/",
        "kubernetes-sigs/descheduler",
    ),
    (
        "https://kubernetes-sigs.github.io/metrics-server/",
        "kubernetes-sigs/metrics-server",
    ),
    (
        "https://charts.fairwinds.com/stable",
        "FairwindsOps/goldilocks",
    ),
    ("https://helm.ngc.nvidia.com/nvidia", "NVIDIA/gpu-operator"),
    ("oci://ghcr.io/woodpecker-ci/helm", "woodpecker-ci/helm"),
    ("oci://*/bitnamicharts", "bitnami/charts"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn holds_50_images_and_22_chart_repositories() {
        let images: BTreeSet<_> = IMAGES.iter().map(|(image, _)| image).collect();
        let charts: BTreeSet<_> = CHARTS.iter().map(|(chart, _)| chart).collect();
        assert_eq!((images.len(), charts.len()), (50, 22));
    }

    #[test]
    fn every_source_is_a_repository() {
        for (name, source) in IMAGES.iter().chain(&CHARTS) {
            assert!(
                Source::parse(source).is_some(),
                "{name} has the source {source}"
            );
        }
    }

    #[test]
    fn an_image_is_found_in_every_spelling_of_docker_hub() {
        let source = Source {
            host: "github.com",
            path: "phpipam/phpipam",
        };
        assert_eq!(image("phpipam/phpipam-www"), Some(source));
        assert_eq!(image("docker.io/phpipam/phpipam-www"), Some(source));
        assert_eq!(image("ghcr.io/phpipam/phpipam-www"), None);
    }

    #[test]
    fn a_source_may_lie_on_another_host() {
        let source = image("codeberg.org/forgejo/forgejo");
        assert_eq!(
            source,
            Some(Source {
                host: "codeberg.org",
                path: "forgejo/forgejo"
            })
        );
    }

    #[test]
    fn a_chart_repository_is_found_with_and_without_the_last_slash() {
        let path = chart("https://charts.goauthentik.io").map(|source| source.path);
        assert_eq!(path, Some("goauthentik/authentik"));
        assert_eq!(
            chart("https://charts.goauthentik.io/").map(|source| source.path),
            path
        );
    }

    #[test]
    fn a_mirror_of_the_bitnami_charts_is_known_on_any_host() {
        let path = chart("oci://registry.example.org/bitnamicharts").map(|source| source.path);
        assert_eq!(path, Some("bitnami/charts"));
        assert_eq!(chart("oci://registry.example.org/others"), None);
    }

    #[test]
    fn what_is_no_repository_is_refused() {
        for text in [
            "",
            "immich",
            "a/",
            "https://github.com/a/b",
            "a/b/c",
            "gitlab.com/a",
        ] {
            assert_eq!(Source::parse(text), None, "{text}");
        }
        let nested = Source::parse("gitlab.com/group/part/project");
        assert_eq!(nested.map(|source| source.path), Some("group/part/project"));
    }
}
