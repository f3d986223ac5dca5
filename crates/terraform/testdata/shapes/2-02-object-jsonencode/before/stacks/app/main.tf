resource "kubectl_manifest" "app" {
  yaml_body = jsonencode({
    apiVersion = "v1"
    kind       = "Pod"
    metadata   = { name = "app" }
    spec       = { containers = [{ name = "app", image = "acme/app:1.2.0" }] }
  })
}
