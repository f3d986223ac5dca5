locals {
  inputs = {
    replicas  = 1
    image_tag = "1.3.0"
  }
}

inputs = local.inputs
