module "app" {
  source = "../../modules/app"
  image = {
    repository = "acme/app"
    tag        = "1.2.0"
  }
}

module "web" {
  source = "../../modules/app"
  image = {
    repository = "acme/app-web"
    tag        = "1.2.0"
  }
}
