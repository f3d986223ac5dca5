resource "kubernetes_manifest" "policy" {
  manifest = {
    apiVersion = "kyverno.io/v1"
    kind       = "ClusterPolicy"
    metadata   = { name = "inject" }
    spec = {
      rules = [{
        name = "inject-sidecar"
        match = { any = [{ resources = { kinds = ["Pod"] } }] }
        mutate = {
          patchStrategicMerge = {
            spec = {
              containers = [{
                name  = "proxy"
                image = "acme/app:1.3.0"
              }]
            }
          }
        }
      }]
    }
  }
}
