//! Which chart deploys an image.

use super::{Source, short};

/// A Helm chart in its repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chart<'a> {
    /// The chart repository: `https://…` with an `index.yaml`, or `oci://host/path`.
    pub repository: &'a str,
    /// The chart's name in there.
    pub name: &'a str,
}

impl<'a> Chart<'a> {
    /// Reads `repository chart`; nothing when it is not that.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (repository, name) = (words.next()?, words.next()?);
        let (scheme, rest) = repository.split_once("://")?;
        let host = rest.split('/').next().unwrap_or_default();
        let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let complete = matches!(scheme, "https" | "http" | "oci")
            && !host.is_empty()
            && !host.contains('@')
            && !rest.contains(['?', '#'])
            && name.chars().all(legal)
            && words.next().is_none();
        complete.then_some(Self { repository, name })
    }
}

/// The chart that deploys an image without its tag, if it is in the catalogue.
#[must_use]
pub fn chart_of(image: &str) -> Option<Chart<'static>> {
    let wanted = short(image);
    let known = CHARTS_OF.iter().find(|known| short(known.0) == wanted)?;
    let (_, repository, name, _) = *known;
    Some(Chart { repository, name })
}

/// The images that tell which app version of a chart runs.
pub fn images_of(chart: &str) -> impl Iterator<Item = &'static str> {
    let same = CHARTS_OF.iter().filter(move |known| known.2 == chart);
    same.map(|known| known.0)
}

/// The source of the app that a chart deploys, by its image: the chart's own repository often has
/// the chart's releases only.
#[must_use]
pub fn app_source(image: &str) -> Option<Source<'static>> {
    let wanted = short(image);
    let known = CHARTS_OF.iter().find(|known| short(known.0) == wanted)?;
    Source::parse(known.3)
}

/// Image, chart repository, chart, and the source of the app.
pub const CHARTS_OF: [(&str, &str, &str, &str); 29] = [
    (
        "ghcr.io/goauthentik/server",
        "https://charts.goauthentik.io/",
        "authentik",
        "goauthentik/authentik",
    ),
    (
        "docker.io/library/traefik",
        "https://traefik.github.io/charts",
        "traefik",
        "traefik/traefik",
    ),
    (
        "reg.kyverno.io/kyverno/kyverno",
        "https://kyverno.github.io/kyverno/",
        "kyverno",
        "kyverno/kyverno",
    ),
    (
        "ghcr.io/kyverno/kyverno",
        "https://kyverno.github.io/kyverno/",
        "kyverno",
        "kyverno/kyverno",
    ),
    (
        "container-registry.oracle.com/mysql/community-operator",
        "https://mysql.github.io/mysql-operator/",
        "mysql-operator",
        "mysql/mysql-operator",
    ),
    (
        "ghcr.io/cloudnative-pg/cloudnative-pg",
        "https://cloudnative-pg.github.io/charts",
        "cloudnative-pg",
        "cloudnative-pg/cloudnative-pg",
    ),
    (
        "ghcr.io/external-secrets/external-secrets",
        "https://charts.external-secrets.io",
        "external-secrets",
        "external-secrets/external-secrets",
    ),
    (
        "oci.external-secrets.io/external-secrets/external-secrets",
        "https://charts.external-secrets.io",
        "external-secrets",
        "external-secrets/external-secrets",
    ),
    (
        "quay.io/metallb/controller",
        "https://metallb.github.io/metallb",
        "metallb",
        "metallb/metallb",
    ),
    (
        "quay.io/metallb/speaker",
        "https://metallb.github.io/metallb",
        "metallb",
        "metallb/metallb",
    ),
    (
        "docker.io/library/nextcloud",
        "https://nextcloud.github.io/helm/",
        "nextcloud",
        "nextcloud/server",
    ),
    (
        "docker.io/crowdsecurity/crowdsec",
        "https://crowdsecurity.github.io/helm-charts",
        "crowdsec",
        "crowdsecurity/crowdsec",
    ),
    (
        "docker.io/hashicorp/vault",
        "https://helm.releases.hashicorp.com",
        "vault",
        "hashicorp/vault",
    ),
    (
        "docker.io/bitnami/sealed-secrets-controller",
        "https://bitnami-labs.github.io/sealed-secrets",
        "sealed-secrets",
        "bitnami-labs/sealed-secrets",
    ),
    (
        "docker.io/grafana/grafana",
        "https://grafana.github.io/helm-charts",
        "grafana",
        "grafana/grafana",
    ),
    (
        "docker.io/grafana/loki",
        "https://grafana.github.io/helm-charts",
        "loki",
        "grafana/loki",
    ),
    (
        "quay.io/prometheus/prometheus",
        "https://prometheus-community.github.io/helm-charts",
        "prometheus",
        "prometheus/prometheus",
    ),
    (
        "quay.io/prometheus-operator/prometheus-operator",
        "https://prometheus-community.github.io/helm-charts",
        "kube-prometheus-stack",
        "prometheus-operator/prometheus-operator",
    ),
    (
        "docker.io/democraticcsi/democratic-csi",
        "https://democratic-csi.github.io/charts/",
        "democratic-csi",
        "democratic-csi/democratic-csi",
    ),
    (
        "ghcr.io/stakater/reloader",
        "https://stakater.github.io/stakater-charts",
        "reloader",
        "stakater/Reloader",
    ),
    (
        "docker.io/stakater/reloader",
        "https://stakater.github.io/stakater-charts",
        "reloader",
        "stakater/Reloader",
    ),
    (
        "ghcr.io/topolvm/pvc-autoresizer",
        "https://topolvm.github.io/pvc-autoresizer",
        "pvc-autoresizer",
        "topolvm/pvc-autoresizer",
    ),
    (
        "registry.k8s.io/descheduler/descheduler",
        "https://kubernetes-sigs.github.io/descheduler/",
        "descheduler",
        "kubernetes-sigs/descheduler",
    ),
    (
        "registry.k8s.io/metrics-server/metrics-server",
        "https://kubernetes-sigs.github.io/metrics-server/",
        "metrics-server",
        "kubernetes-sigs/metrics-server",
    ),
    (
        "us-docker.pkg.dev/fairwinds-ops/oss/goldilocks",
        "https://charts.fairwinds.com/stable",
        "goldilocks",
        "FairwindsOps/goldilocks",
    ),
    (
        "nvcr.io/nvidia/gpu-operator",
        "https://helm.ngc.nvidia.com/nvidia",
        "gpu-operator",
        "NVIDIA/gpu-operator",
    ),
    (
        "docker.io/woodpeckerci/woodpecker-server",
        "oci://ghcr.io/woodpecker-ci/helm",
        "woodpecker",
        "woodpecker-ci/woodpecker",
    ),
    (
        "docker.io/bitnami/redis",
        "oci://registry-1.docker.io/bitnamicharts",
        "redis",
        "redis/redis",
    ),
    (
        "docker.io/bitnami/mariadb",
        "oci://registry-1.docker.io/bitnamicharts",
        "mariadb",
        "MariaDB/server",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{CHARTS, chart_matches};
    use super::*;

    #[test]
    fn every_chart_repository_has_a_chart_with_its_image() {
        for (repository, _) in CHARTS {
            let has = |known: &&(&str, &str, &str, &str)| {
                chart_matches(repository, known.1.trim_end_matches('/'))
            };
            assert!(CHARTS_OF.iter().any(|known| has(&known)), "{repository}");
        }
    }

    #[test]
    fn every_entry_can_be_read_and_stands_there_once() {
        let images: BTreeSet<&str> = CHARTS_OF.iter().map(|known| short(known.0)).collect();
        assert_eq!(images.len(), CHARTS_OF.len());
        for (image, repository, name, source) in CHARTS_OF {
            let text = format!("{repository} {name}");
            assert_eq!(Chart::parse(&text), Some(Chart { repository, name }));
            assert!(Source::parse(source).is_some(), "{image}: {source}");
        }
    }

    #[test]
    fn an_image_leads_to_its_chart_and_back_in_every_spelling() {
        for spelling in ["traefik", "docker.io/library/traefik", "library/traefik"] {
            assert_eq!(chart_of(spelling).map(|chart| chart.name), Some("traefik"));
            let source = app_source(spelling).map(|source| source.path);
            assert_eq!(source, Some("traefik/traefik"));
        }
        let images: Vec<&str> = images_of("metallb").collect();
        let expected = ["quay.io/metallb/controller", "quay.io/metallb/speaker"];
        assert_eq!(images, expected);
        assert_eq!(chart_of("ghcr.io/acme/traefik"), None);
    }

    #[test]
    fn what_is_no_chart_in_a_repository_is_refused() {
        for text in [
            "",
            "https://charts.example.org",
            "charts.example.org app",
            "git://charts.example.org app",
            "https:// app",
            "https://user:word@charts.example.org app",
            "https://charts.example.org?token=x app",
            "https://charts.example.org app 1.0",
            "https://charts.example.org a/b",
        ] {
            assert_eq!(Chart::parse(text), None, "{text}");
        }
        let chart = Chart::parse("oci://registry.example.org:5000/charts app");
        assert_eq!(chart.map(|chart| chart.name), Some("app"));
    }
}
