resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.1.0" # siehe CHANGELOG – geprüft
}

resource "helm_release" "web" {
  name       = "web"
  namespace  = "web"
  repository = "https://charts.example.org"
  chart      = "app-web"
  version    = "9.0.1"
}
