resource "null_resource" "cluster" {
  triggers = {
    image     = "ghcr.io/cloudnative-pg/postgis:16.4"
    instances = "2"
  }

  provisioner "local-exec" {
    command = <<-EOT
      kubectl --kubeconfig $${KUBECONFIG} apply -f - <<EOF
      apiVersion: postgresql.cnpg.io/v1
      kind: Cluster
      metadata:
        name: pg
        namespace: dbaas
      spec:
        instances: 2
        imageName: ghcr.io/cloudnative-pg/postgis:16.4
        storage:
          size: 20Gi
      EOF
    EOT
  }
}
