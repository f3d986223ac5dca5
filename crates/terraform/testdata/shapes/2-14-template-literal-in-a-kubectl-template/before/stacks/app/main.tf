resource "kubectl_manifest" "app" {
  yaml_body = templatefile("${path.module}/app.yaml", { namespace = "app" })
}
