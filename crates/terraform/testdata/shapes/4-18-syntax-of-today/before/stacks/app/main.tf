terraform {
  required_version = ">= 1.9"
}

import {
  to = kubernetes_namespace.this
  id = "app"
}

moved {
  from = kubernetes_pod.a
  to   = kubernetes_pod.b
}

check "alive" {
  assert {
    condition     = length(local.grouped) >= 0 && 1e3 > -2.5
    error_message = "Größe \u00e4 \U0001F680 ${local.grouped == {} ? "leer" : "voll"}"
  }
}

locals {
  grouped = { for s in ["a", "b"] : upper(s) => s... }
  splat   = kubernetes_namespace.this[*].metadata.0.name
  legacy  = kubernetes_namespace.this.*.metadata
  called  = provider::assert::not_null(var.nothing)
  stripped = "%{ if true ~} x ${~ "y" ~} %{ else }z%{ endif }"
  long = (
    true
    ? "a"
    : "b"
  )
  text = join("", [<<-EOT
    "quoted" $${a} %%{b}
  EOT
  , "c"])
}

variable "nothing" {
  type      = string
  default   = null
  ephemeral = true
}

resource "kubernetes_namespace" "this" {
  metadata {
    name = "app"
  }
}

resource "kubernetes_deployment" "app" {
  metadata {
    name      = "app"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = { app = "app" }
  }

  spec {
    replicas = 1

    selector {
      match_labels = { app = "app" }
    }

    template {
      metadata {
        labels = { app = "app" }
      }

      spec {
        container {
          name  = "app"
          image = "acme/app:1.2.0"

          port {
            container_port = 8080
          }

          resources {
            limits = {
              memory = "256Mi"
            }
          }
        }
      }
    }
  }
}
