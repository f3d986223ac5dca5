terraform {
  source = "../../modules/app"
}

inputs = {}
