locals {
  common = {
    domain    = "example.org"
    image_tag = "1.1.0" # dead: the later argument wins
  }
}

inputs = merge(
  local.common,
  {
    image_tag = "1.2.0"
  },
)
