{{/* What the operator and the hook for its resource definition share. */}}

{{/* Takes the weight. A failed Job stays, for its log; its rights do not. */}}
{{- define "hunarmitra.crdHook" -}}
annotations:
  helm.sh/hook: pre-upgrade
  helm.sh/hook-weight: {{ . | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded{{ if ne . "-10" }},hook-failed{{ end }}
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
