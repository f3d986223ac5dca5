locals {
  tag = "1.3.0"
}

resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [templatefile("${path.module}/values.yaml", { image_tag = local.tag, domain = "example.org" })]
}
