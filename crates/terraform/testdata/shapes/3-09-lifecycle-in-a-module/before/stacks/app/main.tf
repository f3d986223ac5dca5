module "app" {
  source = "../../modules/app"
  tag    = "1.2.0"
}
