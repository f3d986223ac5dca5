module "app" {
  source = "../../modules/deployment"
  name   = "app"
  image  = "acme/app:1.3.0"
}

module "web" {
  source = "../../modules/deployment"
  name   = "web"
  image  = "acme/app-web:1.2.0"
}
