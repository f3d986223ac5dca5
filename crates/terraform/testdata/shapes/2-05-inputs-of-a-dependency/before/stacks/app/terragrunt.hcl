dependency "build" {
  config_path = "../build"
}

inputs = {
  image_tag = dependency.build.outputs.image_tag
}
