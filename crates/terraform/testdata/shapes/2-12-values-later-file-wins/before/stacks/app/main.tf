resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [
    file("${path.module}/values.yaml"),
    file("${path.module}/values-prod.yaml"),
  ]
}
