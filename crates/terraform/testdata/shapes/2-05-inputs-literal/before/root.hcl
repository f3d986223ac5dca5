# Zustand liegt im Bucket – für alle Stacks
remote_state {
  backend = "pg"
  config  = {}
}
