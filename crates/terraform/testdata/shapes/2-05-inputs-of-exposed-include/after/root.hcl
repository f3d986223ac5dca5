locals {
  app_version = "1.3.0"
}
