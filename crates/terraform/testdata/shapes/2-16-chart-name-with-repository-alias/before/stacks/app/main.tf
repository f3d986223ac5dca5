resource "helm_release" "ingress" {
  name    = "ingress"
  chart   = "traefik/traefik"
  version = "33.0.0"
}
