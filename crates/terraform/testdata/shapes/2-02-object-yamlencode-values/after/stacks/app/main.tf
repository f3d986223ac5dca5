resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [
    yamlencode({
      replicas = 2
      extraContainers = [{ name = "log", image = "acme/app:1.3.0" }]
      driver = { version = "1.2.0" }
    })
  ]
}
