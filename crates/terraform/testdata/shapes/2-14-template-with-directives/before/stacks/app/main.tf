resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [templatefile("${path.module}/values.yaml.tftpl", { hosts = ["a", "b"], metrics = true, tag = "1.2.0" })]
}
