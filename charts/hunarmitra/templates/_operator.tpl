{{/* What the operator and the hook for its resource definition share. */}}

{{/* The namespaces that the operator watches, a JSON list: the release's alone, or those of operator.watchNamespaces and,
for this release's own scaler, the release's. `*` is every namespace. */}}
{{- define "hunarmitra.watched" -}}
{{- $named := .Values.operator.watchNamespaces | default list -}}
{{- if has "*" $named -}}
{{- list "*" | toJson -}}
{{- else if or .Values.ws.autoscaling.enabled (not $named) -}}
{{- prepend $named .Release.Namespace | uniq | toJson -}}
{{- else -}}
{{- uniq $named | toJson -}}
{{- end -}}
{{- end -}}

{{- define "hunarmitra.toApiServer" -}}
- ports:
    {{- range .Values.networkPolicy.apiServerPorts }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .Values.networkPolicy.apiServerTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
