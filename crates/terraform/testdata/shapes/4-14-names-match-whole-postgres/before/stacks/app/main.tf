resource "kubernetes_namespace" "this" {
  metadata {
    name = "app"
  }
}

resource "kubernetes_deployment" "pg" {
  metadata {
    name      = "pg"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "pg" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "pg" }
    }

    template {
      metadata {
        labels = { app = "pg" }
      }

      spec {
        container {
          name  = "pg"
          image = "postgres:16.4"

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

resource "kubernetes_deployment" "immich" {
  metadata {
    name      = "immich"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "immich" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "immich" }
    }

    template {
      metadata {
        labels = { app = "immich" }
      }

      spec {
        container {
          name  = "immich"
          image = "ghcr.io/immich-app/postgres:16.4"

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

resource "kubernetes_deployment" "bitnami" {
  metadata {
    name      = "bitnami"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "bitnami" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "bitnami" }
    }

    template {
      metadata {
        labels = { app = "bitnami" }
      }

      spec {
        container {
          name  = "bitnami"
          image = "bitnami/postgres:16.4"

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
