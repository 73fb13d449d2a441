module github.com/ftp-operator/ftp-operator/hack/cluster/src/nodekit

go 1.26
