module "app" {
  source           = "../../modules/deployment"
  name             = "app"
  image_repository = "acme/app"
  image_tag        = "1.3.0"
}

module "web" {
  source           = "../../modules/deployment"
  name             = "web"
  image_repository = "acme/app-web"
  image_tag        = "1.2.0"
}
