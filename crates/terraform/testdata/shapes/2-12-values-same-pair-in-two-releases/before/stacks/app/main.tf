resource "helm_release" "one" {
  name       = "one"
  namespace  = "one"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [file("${path.module}/values.yaml")]
}

resource "helm_release" "two" {
  name       = "two"
  namespace  = "two"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [file("${path.module}/values.yaml")]
}
