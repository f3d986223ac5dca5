#!/bin/sh
set -eu
docker run --rm acme/app:1.2.0
