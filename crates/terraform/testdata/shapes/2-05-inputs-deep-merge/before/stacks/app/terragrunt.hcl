include "root" {
  path           = find_in_parent_folders("root.hcl")
  merge_strategy = "deep"
}

inputs = {
  app = {
    tag = "1.2.0"
  }
}
