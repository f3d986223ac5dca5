inputs = {
  stage = "prod"
}
