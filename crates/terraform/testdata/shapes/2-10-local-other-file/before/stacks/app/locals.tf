# Versionen – bitte hier ändern
locals {
  app_version = "1.2.0"
}

locals {
  domain = "example.org"
}

