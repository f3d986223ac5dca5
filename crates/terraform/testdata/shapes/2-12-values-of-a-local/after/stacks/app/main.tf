locals {
  values = {
    image = {
      repository = "acme/app"
      tag        = "1.3.0"
    }
  }
}

resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [yamlencode(local.values)]
}
