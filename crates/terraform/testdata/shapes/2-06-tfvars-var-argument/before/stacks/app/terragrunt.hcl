terraform {
  extra_arguments "pin" {
    commands  = ["plan", "apply"]
    arguments = ["-var", "image_tag=1.2.0"]
  }
}
