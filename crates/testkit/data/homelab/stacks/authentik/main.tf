variable "root_domain" {}
variable "tls_secret_name" {}

terraform {
  required_providers {
    helm = {
      source  = "hashicorp/helm"
      version = "~> 2.17"
    }
  }
}

resource "kubernetes_namespace" "authentik" {
  metadata {
    name = "authentik"
  }
}

resource "helm_release" "authentik" {
  name       = "goauthentik"
  namespace  = kubernetes_namespace.authentik.metadata[0].name
  repository = "https://charts.goauthentik.io/"
  chart      = "authentik"
  # version  = "2025.12.4"
  version    = "2026.2.2"
  atomic     = true
  timeout    = 6000

  values = [file("${path.module}/values.yaml")]
}

module "ingress" {
  source          = "../../modules/ingress"
  namespace       = kubernetes_namespace.authentik.metadata[0].name
  name            = "authentik"
  service_name    = "goauthentik-server"
  root_domain     = var.root_domain
  tls_secret_name = var.tls_secret_name
}
