terraform {
  source = "../../modules/app"
}

inputs = {
  image_tag = "1.3.0"
}
