resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "oci://ghcr.io/acme/charts"
  chart      = "app"
  version    = "9.1.0"
}
