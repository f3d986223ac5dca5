resource "helm_release" "app" {
  name       = "app"
  repository = "https://charts.example.org"
  chart      = "app"
}
