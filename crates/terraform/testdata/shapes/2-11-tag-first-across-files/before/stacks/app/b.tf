locals {
  registry = "index.docker.io"
}

