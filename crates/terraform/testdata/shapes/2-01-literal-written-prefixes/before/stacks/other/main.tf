resource "kubernetes_namespace" "this" {
  metadata {
    name = "other"
  }
}

resource "kubernetes_deployment" "host" {
  metadata {
    name      = "host"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "host" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "host" }
    }

    template {
      metadata {
        labels = { app = "host" }
      }

      spec {
        container {
          name  = "host"
          image = "docker.io/alpine:3.20"

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

resource "kubernetes_deployment" "index" {
  metadata {
    name      = "index"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "index" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "index" }
    }

    template {
      metadata {
        labels = { app = "index" }
      }

      spec {
        container {
          name  = "index"
          image = "index.docker.io/library/alpine:3.20"

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

resource "kubernetes_deployment" "foreign" {
  metadata {
    name      = "foreign"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "foreign" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "foreign" }
    }

    template {
      metadata {
        labels = { app = "foreign" }
      }

      spec {
        container {
          name  = "foreign"
          image = "ghcr.io/acme/alpine:3.20"

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
