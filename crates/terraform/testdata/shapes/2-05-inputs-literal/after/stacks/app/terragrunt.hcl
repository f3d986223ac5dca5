include "root" {
  path = find_in_parent_folders("root.hcl")
}

inputs = {
  replicas  = 1
  image_tag = "1.3.0" # für die Produktion
}
