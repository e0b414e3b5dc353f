{{- define "stock.labels" -}}
app: {{ .Release.Name }}-stock
{{- end }}
