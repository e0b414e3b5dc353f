{{/* The image, by digest or tag. */}}
{{- define "sqledge-ha.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default (printf "v%s" $.Chart.AppVersion) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The settings. OpenShift assigns a group to each namespace, and rejects pods with another one. */}}
{{- define "sqledge-ha.settings" -}}
{{- $platform := dict -}}
{{- if .Capabilities.APIVersions.Has "security.openshift.io/v1" -}}
{{- $platform = dict "fsGroup" "none" -}}
{{- end -}}
{{- toYaml (merge $platform .Values.settings) -}}
{{- end -}}

{{/* The labels that select the pods. */}}
{{- define "sqledge-ha.selector" -}}
app.kubernetes.io/name: sqledge-ha
{{- end -}}

{{/* The labels of the release. */}}
{{- define "sqledge-ha.release-labels" -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{- end -}}

{{/* The labels of all objects. */}}
{{- define "sqledge-ha.labels" -}}
{{ include "sqledge-ha.selector" . }}
{{ include "sqledge-ha.release-labels" . }}
{{- end -}}

{{/* The metadata of namespaced objects. */}}
{{- define "sqledge-ha.metadata" -}}
name: sqledge-ha
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "sqledge-ha.labels" . | nindent 2 }}
{{- end -}}

{{/* The label of the audit's pods. */}}
{{- define "sqledge-ha.audit.selector" -}}
app.kubernetes.io/name: sqledge-ha-audit
{{- end -}}

{{/* The labels of the audit's objects. */}}
{{- define "sqledge-ha.audit.labels" -}}
{{ include "sqledge-ha.audit.selector" . }}
{{ include "sqledge-ha.release-labels" . }}
{{- end -}}

{{/* The metadata of the audit's namespaced objects. */}}
{{- define "sqledge-ha.audit.metadata" -}}
name: sqledge-ha-audit
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "sqledge-ha.audit.labels" . | nindent 2 }}
{{- end -}}
