# The images of the project: --target operator, --target ftpserver and --target
# front.
#
# SOURCE says where the programs come from: "build" compiles them here (docker
# build), "prebuilt" takes them from bin/linux-ARCH, where no base image is needed
# (hack/images/build.sh).
ARG SOURCE=build

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
WORKDIR /src
# Apart from the sources, so that a changed line does not download every module again.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /out/ftp-operator . && \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /out/ftpserver ./ftpserver && \
    cp /etc/ssl/certs/ca-certificates.crt /out/

FROM scratch AS prebuilt
ARG TARGETARCH
COPY bin/linux-$TARGETARCH/ /out/

FROM ${SOURCE} AS binaries

# Debian's HAProxy with the libraries that it needs, as hack/images/front.sh has it.
FROM debian:bookworm-slim AS front-build
RUN apt-get update && apt-get install -y --no-install-recommends haproxy=2.6.12-1+deb12u4
RUN mkdir /out && \
    for file in /usr/sbin/haproxy $(ldd /usr/sbin/haproxy | grep -o '/[^ ]*'); do \
      install -D -m 755 "$file" "/out$file"; \
    done && \
    cd / && cp --parents usr/share/doc/*/copyright /out

FROM scratch AS front-prebuilt
ARG TARGETARCH
COPY bin/linux-$TARGETARCH/front/ /out/

FROM front-${SOURCE} AS front-files

FROM scratch AS operator
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ftp-operator" \
      org.opencontainers.image.description="Kubernetes operator that offers FTP on Kubernetes" \
      org.opencontainers.image.source="https://github.com/ftp-operator/ftp-operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=binaries /out/ca-certificates.crt /etc/ssl/certs/
COPY --from=binaries /out/ftp-operator /ftp-operator
USER 65532:65532
ENTRYPOINT ["/ftp-operator"]

FROM scratch AS ftpserver
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ftpserver" \
      org.opencontainers.image.description="FTP and FTPS server that ftp-operator runs" \
      org.opencontainers.image.source="https://github.com/ftp-operator/ftp-operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=binaries /out/ca-certificates.crt /etc/ssl/certs/
COPY --from=binaries /out/ftpserver /ftpserver
USER 65532:65532
ENTRYPOINT ["/ftpserver"]

# HAProxy ends softly on SIGUSR1: it takes no new connections and lets those there
# are finish. It does nothing special on SIGTERM, which the first process of a
# container does not hear of then: it would go on until it is killed.
FROM scratch AS front
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ftp-front" \
      org.opencontainers.image.description="HAProxy before the control ports of FTP servers that ftp-operator runs" \
      org.opencontainers.image.source="https://github.com/ftp-operator/ftp-operator" \
      org.opencontainers.image.licenses="GPL-2.0-or-later AND LGPL-2.1-or-later" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=front-files /out/ /
USER 65532:65532
STOPSIGNAL SIGUSR1
ENTRYPOINT ["/usr/sbin/haproxy"]
