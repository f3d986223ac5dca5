resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"

  values = [file("${path.module}/values.yaml")]
}

resource "kubectl_manifest" "app" {
  yaml_body = <<-YAML
    # image: acme/app:1.2.0
    apiVersion: v1
    kind: Pod
    spec:
      containers:
        - name: app
          # image: acme/app:1.2.0
          image: acme/app:1.3.0 # acme/app:1.2.0
  YAML
}
