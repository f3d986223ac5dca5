resource "kubernetes_namespace" "this" {
  metadata {
    name = "app"
  }
}

resource "kubernetes_deployment_v1" "deployment_v1" {
  metadata {
    name      = "deployment_v1"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "deployment_v1" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "deployment_v1" }
    }

    template {
      metadata {
        labels = { app = "deployment_v1" }
      }

      spec {
        container {
          name  = "deployment_v1"
          image = "acme/app:1.2.0"

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

resource "kubernetes_stateful_set" "stateful_set" {
  metadata {
    name      = "stateful_set"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "stateful_set" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "stateful_set" }
    }

    template {
      metadata {
        labels = { app = "stateful_set" }
      }

      spec {
        container {
          name  = "stateful_set"
          image = "acme/app:1.2.0"

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

resource "kubernetes_stateful_set_v1" "stateful_set_v1" {
  metadata {
    name      = "stateful_set_v1"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "stateful_set_v1" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "stateful_set_v1" }
    }

    template {
      metadata {
        labels = { app = "stateful_set_v1" }
      }

      spec {
        container {
          name  = "stateful_set_v1"
          image = "acme/app:1.2.0"

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

resource "kubernetes_daemonset" "daemonset" {
  metadata {
    name      = "daemonset"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "daemonset" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "daemonset" }
    }

    template {
      metadata {
        labels = { app = "daemonset" }
      }

      spec {
        container {
          name  = "daemonset"
          image = "acme/app:1.2.0"

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

resource "kubernetes_daemon_set_v1" "daemon_set_v1" {
  metadata {
    name      = "daemon_set_v1"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "daemon_set_v1" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "daemon_set_v1" }
    }

    template {
      metadata {
        labels = { app = "daemon_set_v1" }
      }

      spec {
        container {
          name  = "daemon_set_v1"
          image = "acme/app:1.2.0"

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

resource "kubernetes_cron_job_v1" "nightly" {
  metadata {
    name = "nightly"
  }
  spec {
    schedule = "0 3 * * *"
    job_template {
      metadata {}
      spec {
        template {
          metadata {}
          spec {
            init_container {
              name  = "wait"
              image = "acme/app:1.2.0"
            }
            container {
              name    = "nightly"
              image   = "acme/app:1.2.0"
              command = ["app", "nightly"]
            }
            restart_policy = "Never"
          }
        }
      }
    }
  }
}

resource "kubernetes_job" "migrate" {
  metadata {
    name = "migrate"
  }
  spec {
    template {
      metadata {}
      spec {
        container {
          name  = "migrate"
          image = "acme/app:1.2.0"
        }
      }
    }
  }
}

resource "kubernetes_pod_v1" "debug" {
  metadata {
    name = "debug"
  }
  spec {
    container {
      name  = "debug"
      image = "acme/app:1.2.0"
    }
  }
}
