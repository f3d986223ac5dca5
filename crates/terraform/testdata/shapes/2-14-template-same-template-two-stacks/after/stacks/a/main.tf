resource "helm_release" "a" {
  name       = "a"
  namespace  = "a"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [templatefile("${path.module}/../../shared/values.yaml.tftpl", { tag = "1.3.0" })]
}
