locals {
  versions = yamldecode(file(find_in_parent_folders("versions.yaml")))
}

inputs = {
  image_tag = local.versions.app
}
