locals {
  images = {
    web = {
      repository = "acme/app-web"
      tag        = "1.2.0"
    }
    app = {
      repository = "acme/app"
      tag        = "1.3.0"
    }
  }
}

