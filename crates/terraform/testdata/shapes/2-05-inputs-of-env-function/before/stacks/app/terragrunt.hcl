inputs = {
  image_tag = get_env("APP_TAG")
}
