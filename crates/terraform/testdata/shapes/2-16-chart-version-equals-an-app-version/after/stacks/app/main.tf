resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "1.3.0"

  values = [yamlencode({ image = { repository = "acme/app", tag = "1.2.0" } })]
}
