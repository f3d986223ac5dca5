resource "kubernetes_namespace" "this" {
  metadata {
    name = "app"
  }
}

resource "kubernetes_deployment" "shlink" {
  metadata {
    name      = "shlink"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "shlink" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "shlink" }
    }

    template {
      metadata {
        labels = { app = "shlink" }
      }

      spec {
        container {
          name  = "shlink"
          image = "shlinkio/shlink:4.2.0"

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

resource "kubernetes_deployment" "web" {
  metadata {
    name      = "web"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "web" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "web" }
    }

    template {
      metadata {
        labels = { app = "web" }
      }

      spec {
        container {
          name  = "web"
          image = "shlinkio/shlink-web-client:4.2.0"

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

resource "kubernetes_deployment" "mirror" {
  metadata {
    name      = "mirror"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "mirror" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "mirror" }
    }

    template {
      metadata {
        labels = { app = "mirror" }
      }

      spec {
        container {
          name  = "mirror"
          image = "ghcr.io/shlinkio/shlink:4.2.0"

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

resource "kubernetes_deployment" "deep" {
  metadata {
    name      = "deep"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "deep" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "deep" }
    }

    template {
      metadata {
        labels = { app = "deep" }
      }

      spec {
        container {
          name  = "deep"
          image = "mirror/shlinkio/shlink:4.2.0"

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
