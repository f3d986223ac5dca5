variable "tag" {}

module "deployment" {
  source = "../deployment"
  name   = "app"
  image  = "docker.io/acme/app:${var.tag}"
}
