resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  set = [
    { name = "image.repository", value = "acme/app" },
    {
      name  = "image.tag"
      value = "1.3.0"
    },
    { name = "sidecar.image", value = "acme/app:1.3.0" },
  ]
}
