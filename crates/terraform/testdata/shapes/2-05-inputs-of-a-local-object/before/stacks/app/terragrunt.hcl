locals {
  inputs = {
    replicas  = 1
    image_tag = "1.2.0"
  }
}

inputs = local.inputs
