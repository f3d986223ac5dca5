module "vault" {
  source  = "terraform-aws-modules/vault/aws"
  version = "~> 4.0"
}

module "app" {
  source  = "acme/app/kubernetes"
  version = "9.0.1"
}

provider "helm" {
  version = "9.0.1"
}

resource "helm_release" "app" {
  name       = "app"
  namespace  = "app"
  repository = "https://charts.example.org"
  chart      = "app"
  version    = "9.0.1"
}
