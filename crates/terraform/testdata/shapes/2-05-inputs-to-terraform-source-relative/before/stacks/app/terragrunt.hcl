terraform {
  source = "../../modules/app"
}

inputs = {
  image_tag = "1.2.0"
}
