inputs = {
  app = {
    repository = "acme/app"
    tag        = "1.3.0"
  }
}
