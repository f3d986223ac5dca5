inputs = {
  app = {
    repository = "acme/app"
    tag        = "1.1.0"
  }
}
