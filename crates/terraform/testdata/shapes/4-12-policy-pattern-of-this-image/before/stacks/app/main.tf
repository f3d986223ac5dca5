resource "kubernetes_manifest" "policy" {
  manifest = {
    apiVersion = "kyverno.io/v1"
    kind       = "ClusterPolicy"
    spec = {
      rules = [{
        validate = { pattern = { spec = { containers = [{ image = "docker.io/acme/app:*" }] } } }
      }]
    }
  }
}
