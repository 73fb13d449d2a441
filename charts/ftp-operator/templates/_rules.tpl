{{- /* Generated from config/rbac/role.yaml: do not edit. */}}
{{- define "ftp-operator.rules" }}
rules:
- apiGroups:
  - ""
  resources:
  - configmaps
  - secrets
  - serviceaccounts
  - services
  verbs:
  - create
  - get
  - list
  - patch
  - watch
- apiGroups:
  - ""
  resources:
  - persistentvolumeclaims
  verbs:
  - create
  - delete
  - get
  - list
  - patch
  - watch
- apiGroups:
  - ""
  resources:
  - pods
  verbs:
  - list
  - patch
  - watch
- apiGroups:
  - apps
  resources:
  - deployments
  verbs:
  - create
  - delete
  - get
  - list
  - patch
  - watch
- apiGroups:
  - events.k8s.io
  resources:
  - events
  verbs:
  - create
  - patch
- apiGroups:
  - ftp-operator.io
  resources:
  - ftpservers
  - ftpusers
  verbs:
  - list
  - watch
- apiGroups:
  - ftp-operator.io
  resources:
  - ftpservers/finalizers
  - ftpusers/finalizers
  verbs:
  - update
- apiGroups:
  - ftp-operator.io
  resources:
  - ftpservers/status
  - ftpusers/status
  verbs:
  - patch
- apiGroups:
  - networking.k8s.io
  resources:
  - networkpolicies
  verbs:
  - create
  - delete
  - get
  - list
  - patch
  - watch
- apiGroups:
  - policy
  resources:
  - poddisruptionbudgets
  verbs:
  - create
  - delete
  - get
  - list
  - patch
  - watch
{{- end }}
