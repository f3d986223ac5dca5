resource "helm_release" "vault" {
  name       = "vault"
  namespace  = "vault"
  repository = "https://charts.example.org"
  chart      = "vault"
  version    = "0.29.1"
}
