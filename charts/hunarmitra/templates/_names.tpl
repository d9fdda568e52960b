{{/* Names, labels and images. */}}

{{- define "hunarmitra.name" -}}
{{- include "hunarmitra.shortened" (default .Chart.Name .Values.nameOverride) -}}
{{- end -}}

{{/* The prefix of every name. At most 40 characters: with the longest suffix and a hash it still fits the 63 of a label. */}}
{{- define "hunarmitra.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- include "hunarmitra.shortened" .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- include "hunarmitra.shortened" .Release.Name -}}
{{- else -}}
{{- include "hunarmitra.shortened" (printf "%s-%s" .Release.Name $name) -}}
{{- end -}}
{{- end -}}

{{/* A name that a Service may have: it begins with a letter and has no dots. A changed name ends in a hash of the
original, so that two names that differ stay different. */}}
{{- define "hunarmitra.shortened" -}}
{{- $clean := replace "." "-" . -}}
{{- if not (regexMatch "^[a-z]" $clean) }}{{ $clean = printf "r%s" $clean }}{{ end -}}
{{- if and (eq $clean .) (le (len $clean) 40) -}}
{{- $clean -}}
{{- else -}}
{{- printf "%s-%s" ($clean | trunc 31 | trimSuffix "-") (sha256sum . | trunc 8) -}}
{{- end -}}
{{- end -}}

{{/* Name of a cluster-scoped object; takes (dict "root" $ "name" "…"). A namespace has no dots, so the first dot ends it:
no two releases have the same name. */}}
{{- define "hunarmitra.clusterName" -}}
{{- printf "%s.%s" .root.Release.Namespace .name -}}
{{- end -}}

{{/* The next three take (dict "root" $ "component" "http"). */}}
{{- define "hunarmitra.selector" -}}
app.kubernetes.io/name: {{ include "hunarmitra.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Without the chart's version: a new chart with the same images must not close every connection. */}}
{{- define "hunarmitra.podLabels" -}}
{{ include "hunarmitra.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: hunarmitra
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
{{- end -}}

{{- define "hunarmitra.labels" -}}
{{ include "hunarmitra.podLabels" . }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{/* What is below `metadata`. Takes root, component, name; optionally labels, annotations, clusterScoped. */}}
{{- define "hunarmitra.metadata" -}}
name: {{ .name | quote }}
{{- if not .clusterScoped }}
namespace: {{ .namespace | default .root.Release.Namespace | quote }}
{{- end }}
labels:
  {{- merge (dict) (include "hunarmitra.labels" . | fromYaml) (.labels | default dict) (.root.Values.commonLabels | default dict) | toYaml | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Takes (dict "root" $ "image" .Values.http.image). */}}
{{- define "hunarmitra.image" -}}
{{- $image := .image | default dict -}}
{{- $registry := (.root.Values.image).registry | default (.root.Values.global).imageRegistry -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest -}}
@{{ $image.digest }}
{{- else -}}
:{{ $image.tag | default (.root.Values.image).tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The image of a bundled server, from global.imageRegistry if there is one: instead of the registry that it names. */}}
{{- define "hunarmitra.bundledImage" -}}
{{- with (.root.Values.global).imageRegistry -}}
{{- trimSuffix "/" . }}/{{ regexReplaceAll "^(localhost|[^/]*[.:][^/]*)/" $.image "" -}}
{{- else -}}
{{- .image -}}
{{- end -}}
{{- end -}}

{{/* Secrets to pull with: names, or objects that have one. */}}
{{- define "hunarmitra.pullSecrets" -}}
{{- with concat ((.Values.image).pullSecrets | default list) ((.Values.global).imagePullSecrets | default list) }}
imagePullSecrets:
  {{- range . }}
  - name: {{ kindIs "string" . | ternary . (get (kindIs "map" . | ternary . dict) "name") | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "hunarmitra.secretName" -}}
{{- .Values.secrets.existingSecret | default (include "hunarmitra.fullname" .) -}}
{{- end -}}

{{/* The name of the release's ServiceAccount, or of yours. */}}
{{- define "hunarmitra.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "hunarmitra.fullname" .) "default") -}}
{{- end -}}

{{- define "hunarmitra.operatorServiceAccount" -}}
{{- $account := .Values.operator.serviceAccount -}}
{{- $account.name | default ($account.create | ternary (printf "%s-operator" (include "hunarmitra.fullname" .)) "default") -}}
{{- end -}}

{{/* The first host name that can be sent in `Host`: `.example.org` and `*` in allowedHosts are patterns. */}}
{{- define "hunarmitra.host" -}}
{{- $host := first (.Values.config.allowedHosts | default (list "*")) | trimPrefix "." -}}
{{- ternary "localhost" $host (eq $host "*") -}}
{{- end -}}

{{/* The hosts of an Ingress or HTTPRoute by allowedHosts, a JSON list. `.example.org` is the domain and all below it. An
address can be sent in `Host` but is not a host of an Ingress. For `*` no host is named. */}}
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

{{/* The absolute address of the runbooks; values of 0.1.0 have a relative one. */}}
{{- define "hunarmitra.runbookUrl" -}}
{{- $url := .Values.monitoring.runbookUrl | default "" -}}
{{- contains "://" $url | ternary (trimSuffix "/" $url) (printf "%s/blob/v%s/docs/runbooks" .Chart.Home .Chart.AppVersion) -}}
{{- end -}}
