resource "kubernetes_namespace" "this" {
  metadata {
    name = "app"
  }
}

resource "kubernetes_deployment" "short" {
  metadata {
    name      = "short"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "short" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "short" }
    }

    template {
      metadata {
        labels = { app = "short" }
      }

      spec {
        container {
          name  = "short"
          image = "alpine:3.20"

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

resource "kubernetes_deployment" "library" {
  metadata {
    name      = "library"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "library" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "library" }
    }

    template {
      metadata {
        labels = { app = "library" }
      }

      spec {
        container {
          name  = "library"
          image = "library/alpine:3.20"

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

resource "kubernetes_deployment" "long" {
  metadata {
    name      = "long"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "long" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "long" }
    }

    template {
      metadata {
        labels = { app = "long" }
      }

      spec {
        container {
          name  = "long"
          image = "docker.io/library/alpine:3.20"

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
