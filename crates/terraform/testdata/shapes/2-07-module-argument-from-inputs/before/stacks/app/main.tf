variable "image_tag" {
  default = "1.0.0"
}

module "a" {
  source    = "./../../modules/app"
  namespace = "a"
  tag       = var.image_tag
}

