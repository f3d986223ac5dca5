variable "tag" {
  default = "1.2.0"
}

resource "kubernetes_namespace" "this" {
  metadata {
    name = "app"
  }
}

resource "kubernetes_deployment" "app" {
  metadata {
    name      = "app"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "app" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "app" }
    }

    template {
      metadata {
        labels = { app = "app" }
      }

      spec {
        container {
          name  = "app"
          image = "acme/app:${var.tag}"

          port {
            container_port = 8080
          }

          resources {
            limits = {
              memory = "256Mi"
            }
          }
        }
      }
    }
  }
}

resource "kubernetes_deployment" "old" {
  metadata {
    name      = "old"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "old" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "old" }
    }

    template {
      metadata {
        labels = { app = "old" }
      }

      spec {
        container {
          name  = "old"
          image = "acme/app:${var.tag}"

          port {
            container_port = 8080
          }

          resources {
            limits = {
              memory = "256Mi"
            }
          }
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [spec[0].template[0].spec[0].container[0].image]
  }
}
