module "app" {
  source        = "../../modules/helm"
  chart         = "app"
  chart_version = "9.1.0"
}

module "web" {
  source        = "../../modules/helm"
  chart         = "app-web"
  chart_version = "9.0.1"
}
