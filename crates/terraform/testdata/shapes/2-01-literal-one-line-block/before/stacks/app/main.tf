resource "kubernetes_pod" "app" {
  metadata { name = "app" }
  spec {
    container { image = "acme/app:1.2.0" }
  }
}
