module "app" {
  source = "../../modules/app"
  tag    = var.tag
}

variable "tag" {
  default = "1.2.0"
}
