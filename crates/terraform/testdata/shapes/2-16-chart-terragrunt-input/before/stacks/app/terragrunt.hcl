inputs = {
  chart_version = "9.0.1"
}
