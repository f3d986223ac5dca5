locals {
  sidecars = [
    { name = "log", image = "acme/app:1.2.0" },
    { name = "web", image = "acme/app-web:1.2.0" },
  ]
}


resource "kubernetes_deployment" "app" {
  metadata {
    name = "app"
  }
  spec {
    template {
      spec {
        dynamic "container" {
          for_each = local.sidecars
          iterator = sidecar
          content {
            name  = sidecar.value.name
            image = sidecar.value.image
          }
        }
      }
    }
  }
}
