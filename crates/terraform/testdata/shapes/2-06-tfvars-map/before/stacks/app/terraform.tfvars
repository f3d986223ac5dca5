versions = {
  web = "1.2.0"
  app = "1.2.0"
}
