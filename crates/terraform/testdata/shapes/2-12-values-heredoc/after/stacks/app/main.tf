resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [
    <<-EOT
    image:
      repository: acme/app
      tag: "1.3.0" # für alle
    web:
      image:
        repository: acme/app-web
        tag: "1.2.0"
    EOT
  ]
}
