resource "helm_release" "traefik" {
  name       = "traefik"
  namespace  = "traefik"
  repository = "https://charts.example.org"
  chart      = "traefik"
  version    = "9.0.1"

  values = [yamlencode({
    driver  = { version = "1.2.0" }
    plugins = [{ moduleName = "acme/app", version = "1.2.0" }]
  })]
}
