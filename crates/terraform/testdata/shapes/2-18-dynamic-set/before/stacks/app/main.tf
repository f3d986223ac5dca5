resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  dynamic "set" {
    for_each = {
      "image.repository" = "acme/app"
      "image.tag"        = "1.2.0"
      "service.type"     = "ClusterIP"
    }
    content {
      name  = set.key
      value = set.value
    }
  }
}
