resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [yamlencode({
    image = {
      repository = "acme/app"
      tag        = "1.2.0"
    }
    web = { image = { repository = "acme/app-web", tag = "1.2.0" } }
  })]
}
