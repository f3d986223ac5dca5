variable "tag" {
  default = "1.2.0"
}

resource "kubectl_manifest" "app" {
  yaml_body = <<-EOF
    apiVersion: v1
    kind: Pod
    metadata:
      name: app
    spec:
      containers:
        - name: app
          image: acme/app:${var.tag}
  EOF
}
