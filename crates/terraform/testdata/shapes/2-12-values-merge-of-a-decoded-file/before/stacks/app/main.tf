resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [yamlencode(merge(yamldecode(file("${path.module}/values.yaml")), { replicas = 2 }))]
}
