locals {
  tag = "1.3.0"
}

inputs = {
  image_tag = local.tag
}
