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
          image = "mysql:8.4.3"

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

resource "kubernetes_deployment" "client" {
  metadata {
    name      = "client"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "client" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "client" }
    }

    template {
      metadata {
        labels = { app = "client" }
      }

      spec {
        container {
          name  = "client"
          image = "mysql:8.0.40"

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
