package e2e

// manyNamespace is where the unrelated Secrets are.
const manyNamespace = "ftp-many-secrets"
