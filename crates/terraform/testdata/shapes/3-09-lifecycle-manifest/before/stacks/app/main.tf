resource "kubernetes_manifest" "app" {
  manifest = {
    kind = "Pod"
    spec = { containers = [{ image = "acme/app:1.2.0" }] }
  }

  lifecycle {
    ignore_changes = [manifest]
  }
}
