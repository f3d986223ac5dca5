resource "kubernetes_manifest" "app" {
  manifest = yamldecode(<<EOT
apiVersion: v1
kind: Pod
metadata:
  name: app
spec:
  containers:
    - name: app
      image: "acme/app:1.3.0"
      args: ["--home", "$${HOME}"]
EOT
  )
}
