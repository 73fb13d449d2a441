# The two images of the project: --target operator and --target ftpserver.
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
