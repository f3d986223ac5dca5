variable "name" { type = string }
variable "namespace" { type = string }
variable "nfs_server" { type = string }
variable "nfs_path" { type = string }

variable "capacity" {
  type    = string
  default = "10Gi"
}

resource "kubernetes_persistent_volume" "this" {
  metadata {
    name = "${var.namespace}-${var.name}"
  }
  spec {
    capacity                         = { storage = var.capacity }
    access_modes                     = ["ReadWriteMany"]
    persistent_volume_reclaim_policy = "Retain"
    storage_class_name               = "nfs"
    persistent_volume_source {
      nfs {
        server = var.nfs_server
        path   = var.nfs_path
      }
    }
  }
}

resource "kubernetes_persistent_volume_claim" "this" {
  metadata {
    name      = var.name
    namespace = var.namespace
  }
  spec {
    access_modes       = ["ReadWriteMany"]
    storage_class_name = "nfs"
    volume_name        = kubernetes_persistent_volume.this.metadata[0].name
    resources {
      requests = { storage = var.capacity }
    }
  }
}

output "claim_name" {
  value = kubernetes_persistent_volume_claim.this.metadata[0].name
}
