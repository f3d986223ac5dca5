locals {
  web_version = "1.2.0"
  app_version = "1.2.0"
}

inputs = {
  image_tag = local.app_version
}
