resource "helm_release" "ingress" {
  name    = "ingress"
  chart   = "traefik/traefik"
  version = "33.1.0"
}
