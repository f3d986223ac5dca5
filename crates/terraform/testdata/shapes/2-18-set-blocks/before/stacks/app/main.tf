resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  set {
    name  = "image.repository"
    value = "acme/app"
  }

  set {
    name  = "image.tag"
    value = "1.2.0"
  }

  set {
    name  = "web.image.tag"
    value = "1.2.0"
  }
}
