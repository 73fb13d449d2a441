// The benchmark and the server on ftpserverlib that it compares with are a
// module of their own: the product has none of their dependencies.
module github.com/ftp-operator/ftp-operator/hack/bench

go 1.26

require (
	github.com/fclairamb/ftpserverlib v0.32.1
	github.com/spf13/afero v1.15.0
	golang.org/x/sys v0.46.0
)

require golang.org/x/text v0.28.0 // indirect
