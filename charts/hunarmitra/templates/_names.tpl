{{/* Names, labels and images. */}}

{{- define "hunarmitra.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters: the longest suffix, with a hash, still fits the 63 of a label. */}}
{{- define "hunarmitra.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "hunarmitra.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "hunarmitra.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Both take (dict "root" $ "component" "http"). */}}
{{- define "hunarmitra.selector" -}}
app.kubernetes.io/name: {{ include "hunarmitra.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "hunarmitra.labels" -}}
{{ include "hunarmitra.podLabels" . }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Without the chart's version: a new chart with the same images must not close every socket. */}}
{{- define "hunarmitra.podLabels" -}}
{{ include "hunarmitra.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: hunarmitra
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Takes (dict "root" $ "image" .Values.http.image). */}}
{{- define "hunarmitra.image" -}}
{{- $registry := .root.Values.image.registry | default .root.Values.global.imageRegistry -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- .image.repository -}}
{{- if .image.digest -}}
@{{ .image.digest }}
{{- else -}}
:{{ .image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "hunarmitra.pullSecrets" -}}
{{- with concat .Values.image.pullSecrets (.Values.global.imagePullSecrets | default list) }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "hunarmitra.secretName" -}}
{{- .Values.secrets.existingSecret | default (include "hunarmitra.fullname" .) -}}
{{- end -}}

{{/* The first host name that can be sent in `Host`: `.example.org` and `*` in allowedHosts are patterns. */}}
{{- define "hunarmitra.host" -}}
{{- $host := first .Values.config.allowedHosts | trimPrefix "." -}}
{{- ternary "localhost" $host (eq $host "*") -}}
{{- end -}}

{{/* The hosts of an Ingress or HTTPRoute by allowedHosts, a JSON list. `.example.org` is the domain and all below it;
an address can be sent in `Host` and is no host of an Ingress; for `*`, and for nothing else, no host is named. */}}
{{- define "hunarmitra.hosts" -}}
{{- $hosts := list -}}
{{- range .Values.config.allowedHosts -}}
{{- if hasPrefix "." . -}}
{{- $hosts = concat $hosts (list (trimPrefix "." .) (printf "*%s" .)) -}}
{{- else if not (or (regexMatch "^[0-9.]+$" .) (contains ":" .)) -}}
{{- $hosts = append $hosts . -}}
{{- end -}}
{{- end -}}
{{- has "*" $hosts | ternary list $hosts | toJson -}}
{{- end -}}
