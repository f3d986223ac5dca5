module "app" {
  source = "../../modules/app"
  tag    = "1.3.0"
}
