resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [file("${path.module}/values.yaml")]

  set = [
    { name = "containers[0].image", value = "acme/app:1.3.0", type = "string" },
    { name = "image.tag", value = local.tag, type = "string" },
  ]
}

locals {
  tag = "1.3.0"
}
