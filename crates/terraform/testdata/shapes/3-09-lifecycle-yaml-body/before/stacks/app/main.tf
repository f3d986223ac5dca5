resource "kubectl_manifest" "app" {
  yaml_body = <<-YAML
    apiVersion: v1
    kind: Pod
    spec:
      containers:
        - image: acme/app:1.2.0
  YAML

  lifecycle {
    ignore_changes = [yaml_body]
  }
}
