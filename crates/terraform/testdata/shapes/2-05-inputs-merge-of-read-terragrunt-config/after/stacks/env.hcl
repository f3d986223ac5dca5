locals {
  environment = "prod"
  image_tag   = "1.3.0"
}
