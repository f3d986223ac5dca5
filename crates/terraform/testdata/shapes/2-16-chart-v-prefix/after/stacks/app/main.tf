resource "helm_release" "cert-manager" {
  name       = "cert-manager"
  namespace  = "cert-manager"
  repository = "https://charts.example.org"
  chart      = "cert-manager"
  version    = "v1.15.0"
}
