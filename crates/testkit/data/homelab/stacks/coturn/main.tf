# TURN for Element calls. Host network: a NAT in front of a relay helps nobody …
resource "kubernetes_namespace" "coturn" {
  metadata {
    name = "coturn"
  }
}

resource "kubernetes_daemonset" "coturn" {
  metadata {
    name      = "coturn"
    namespace = kubernetes_namespace.coturn.metadata[0].name
  }
  spec {
    selector {
      match_labels = {
        app = "coturn"
      }
    }
    template {
      metadata {
        labels = {
          app = "coturn"
        }
      }
      spec {
        host_network = true
        node_selector = {
          "node-role" = "edge"
        }
        container {
          name  = "coturn"
          image = "coturn/coturn:4.6.3-r1" // -r1 is the packaging revision
          args = [
            "--realm=turn.example.org",
            "--min-port=49152",
            "--max-port=49252",
            "--no-cli",
          ]
          port {
            container_port = 3478
            protocol       = "UDP"
          }
          resources {
            limits = {
              memory = "128Mi"
            }
          }
        }
      }
    }
  }
}
