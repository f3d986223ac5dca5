resource "kubernetes_manifest" "app" {
  manifest = yamldecode(file("${path.module}/manifests/app.yaml"))
}
