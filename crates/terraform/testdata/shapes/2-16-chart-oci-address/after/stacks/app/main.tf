resource "helm_release" "app" {
  name    = "app"
  chart   = "oci://ghcr.io/acme/charts/app"
  version = "9.1.0"
}
