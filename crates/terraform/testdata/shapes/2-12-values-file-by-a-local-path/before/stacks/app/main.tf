locals {
  values_file = "${path.module}/values/${local.stage}.yaml"
  stage       = "prod"
}

resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [file(local.values_file)]
}
