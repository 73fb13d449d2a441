{{- define "ftp-operator.labels" -}}
{{ include "ftp-operator.selector" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "ftp-operator.selector" -}}
app.kubernetes.io/name: ftp-operator
{{- end }}

{{- define "ftp-operator.image" -}}
{{ .image.repository }}:{{ .image.tag | default .appVersion }}
{{- end }}
