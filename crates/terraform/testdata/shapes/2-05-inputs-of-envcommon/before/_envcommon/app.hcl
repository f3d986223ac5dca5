locals {
  tag = "1.2.0"
}

inputs = {
  image_tag = local.tag
}
