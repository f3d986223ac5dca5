resource "kubernetes_manifest" "pg" {
  manifest = {
    apiVersion = "acme/app:1.2.0"
    kind       = "Cluster"
    spec = {
      serverVersion = "1.2.0"
      version       = "1.2.0"
      image         = "acme/app:1.2.0"
    }
  }
}

resource "kubernetes_horizontal_pod_autoscaler_v2" "app" {
  spec {
    scale_target_ref {
      api_version = "1.2.0"
      kind        = "Deployment"
      name        = "app"
    }
  }
}
