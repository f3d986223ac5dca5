resource "kubectl_manifest" "app" {
  yaml_body = templatefile("${path.module}/app.yaml.tftpl", {
    image_tag = local.tag
    namespace = "app"
  })
}

locals {
  tag = "1.2.0"
}
