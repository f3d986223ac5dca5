# Zustand liegt im Bucket – für alle Stacks
remote_state {
  backend = "pg"
  config  = {}
}

inputs = {
  domain    = "example.org"
  image_tag = "1.2.0"
}
