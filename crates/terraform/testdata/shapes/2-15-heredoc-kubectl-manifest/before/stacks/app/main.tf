# Datenbank – läuft mit Sicherung
resource "kubectl_manifest" "cluster" {
  yaml_body = <<-YAML
    apiVersion: postgresql.cnpg.io/v1
    kind: Cluster
    metadata:
      name: pg
      annotations:
        template: "$${NAME}"
        cost: "100 %%{x}"
    spec:
      # imageName: ghcr.io/cloudnative-pg/postgresql:16.3
      imageName: ghcr.io/cloudnative-pg/postgresql:16.4
      bootstrap:
        initdb:
          database: ${var.database}
  YAML
}

variable "database" {
  default = "app"
}
