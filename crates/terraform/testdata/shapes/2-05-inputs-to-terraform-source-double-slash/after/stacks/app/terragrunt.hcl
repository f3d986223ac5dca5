terraform {
  source = "${get_repo_root()}//modules/app"
}

inputs = {
  image_tag = "1.3.0"
}
