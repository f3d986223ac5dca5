chart_version = "9.1.0"
