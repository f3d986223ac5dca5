# syntax=docker/dockerfile:1
# One image with every program of Bowline; the manifests name the one to run.
#
#   docker build -t bowline:0.1.0 .

FROM rust:1.95-bookworm AS build
WORKDIR /src
# OpenSSL and libgit2 are built from source: perl and make come with the image.
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p ingest -p analyzer -p executor -p verifier -p bowline \
    && mkdir /out \
    && cp target/release/ingest target/release/analyzer target/release/executor \
          target/release/verifier target/release/bowline /out/

# glibc, the certificates of the usual authorities, and nothing that a shell could start.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/ /usr/local/bin/
USER 10001:10001
ENTRYPOINT ["/usr/local/bin/bowline"]
