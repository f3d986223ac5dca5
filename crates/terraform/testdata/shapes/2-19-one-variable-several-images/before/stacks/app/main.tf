resource "kubernetes_namespace" "this" {
  metadata {
    name = "app"
  }
}

resource "kubernetes_deployment" "server" {
  metadata {
    name      = "server"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "server" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "server" }
    }

    template {
      metadata {
        labels = { app = "server" }
      }

      spec {
        container {
          name  = "server"
          image = "ghcr.io/acme/server:${var.release}"

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

resource "kubernetes_deployment" "ml" {
  metadata {
    name      = "ml"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "ml" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "ml" }
    }

    template {
      metadata {
        labels = { app = "ml" }
      }

      spec {
        container {
          name  = "ml"
          image = "ghcr.io/acme/ml:${var.release}"

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

resource "kubernetes_deployment" "api" {
  metadata {
    name      = "api"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "api" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "api" }
    }

    template {
      metadata {
        labels = { app = "api" }
      }

      spec {
        container {
          name  = "api"
          image = "ghcr.io/acme/api:${var.release}"

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
