include "root" {
  path   = find_in_parent_folders("root.hcl")
  expose = true
}

inputs = {
  image_tag = include.root.locals.app_version
}
