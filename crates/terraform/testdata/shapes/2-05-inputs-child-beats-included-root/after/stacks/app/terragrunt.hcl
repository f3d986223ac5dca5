include "root" {
  path = find_in_parent_folders("root.hcl")
}

inputs = {
  image_tag = "1.3.0"
}
