resource "helm_release" "b" {
  name       = "b"
  namespace  = "b"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [templatefile("${path.module}/../../shared/values.yaml.tftpl", { tag = "1.2.0" })]
}
