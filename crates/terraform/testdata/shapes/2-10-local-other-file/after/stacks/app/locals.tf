# Versionen – bitte hier ändern
locals {
  app_version = "1.3.0"
}

locals {
  domain = "example.org"
}

