# Zustand liegt im Bucket – für alle Stacks
remote_state {
  backend = "pg"
  config  = {}
}

inputs = {
  image_tag = "1.1.0"
}
