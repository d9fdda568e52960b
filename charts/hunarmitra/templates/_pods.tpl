{{/* What pods have in common: environment, and pods that run one command of the http image. */}}

{{/* The port of tracing.endpoint. */}}
{{- define "hunarmitra.tracingPort" -}}
{{- $url := urlParse .Values.tracing.endpoint -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (ternary 443 80 (eq $url.scheme "https")) -}}
{{- end -}}

{{/* A value as text. Numbers of a values file are floating point, of which Go would make 1e+06 from a million on. */}}
{{- define "hunarmitra.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end -}}

{{/* The key of the Secret with the REDIS_URL of a process. Takes root and process: "ws" subscribes, "http" is all others.
The Secret that the chart makes has one for each user of the bundled Redis. */}}
{{- define "hunarmitra.redisUrlKey" -}}
{{- $made := ternary "REDIS_URL" (printf "REDIS_URL_%s" (upper .process)) (ne .root.Values.secrets.existingSecret "") -}}
{{- ternary .root.Values.redis.wsUrlKey .root.Values.redis.httpUrlKey (eq .process "ws") | default $made -}}
{{- end -}}

{{/* "public" or "shared": which keys ws pods have. */}}
{{- define "hunarmitra.wsKeys" -}}
{{- .Values.secrets.wsKeys | default (include "hunarmitra.makesKeys" . | empty | ternary "shared" "public") -}}
{{- end -}}

{{/* The environment of every process that runs Django. Takes root, process ("ws" or "http"), and component: "migrate" may
have another user of the database. */}}
{{- define "hunarmitra.environment" -}}
{{- $secret := include "hunarmitra.secretName" .root | quote -}}
{{- $owner := ternary .root.Values.migrations (dict) (eq (.component | default "") "migrate") -}}
{{- $public := eq (include "hunarmitra.wsKeys" .root) "public" -}}
{{- $verifies := and $public (eq .process "ws") -}}
{{- if not $verifies -}}
- name: SECRET_KEY
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: SECRET_KEY}
{{ end -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef: {name: {{ ternary $secret ($owner.existingSecret | quote) (empty $owner.existingSecret) }}, key: {{ $owner.databaseUrlKey | default "DATABASE_URL" }}}
- name: REDIS_URL
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: {{ include "hunarmitra.redisUrlKey" . }}}
- name: JWT_KEYS
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: {{ $verifies | ternary "JWT_PUBLIC_KEYS" "JWT_KEYS" }}{{ if not $public }}, optional: true{{ end }}}
- name: MESSAGE_KEYS
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: MESSAGE_KEYS{{ if not $public }}, optional: true{{ end }}}
- name: ALLOWED_HOSTS
  value: {{ join "," .root.Values.config.allowedHosts | quote }}
{{- with .root.Values.config.adminHosts }}
- name: ADMIN_HOSTS
  value: {{ join "," . | quote }}
{{- end }}
- name: ALLOWED_ORIGINS
  value: {{ join "," .root.Values.config.allowedOrigins | quote }}
- name: TRUSTED_PROXIES
  value: {{ join "," .root.Values.config.trustedProxies | quote }}
- name: LOG_LEVEL
  value: {{ .root.Values.config.logLevel | quote }}
- name: LOG_FORMAT
  value: {{ .root.Values.config.logFormat | quote }}
{{- with .root.Values.tracing }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_EXPORTER_OTLP_PROTOCOL
  value: {{ .protocol | quote }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: OTEL_EXPORTER_OTLP_HEADERS, optional: true}
- name: OTEL_TRACES_SAMPLER
  value: {{ .sampler | quote }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .ratio | quote }}
- name: POD_NAME
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: {{ printf "service.namespace=hunarmitra,k8s.namespace.name=%s,k8s.pod.name=$(POD_NAME)" $.root.Release.Namespace | quote }}
{{- end }}
{{- end }}
{{- range $name, $value := .root.Values.config.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* While developing, a command that starts again when sources change. Takes root and command. */}}
{{- define "hunarmitra.command" -}}
{{- .root.Values.development.enabled | ternary (concat (list "python" "/development/reload.py") .command) .command | toJson -}}
{{- end -}}

{{/* What that needs. */}}
{{- define "hunarmitra.developmentMount" -}}
{{- if .Values.development.enabled }}
- {name: development, mountPath: /development, readOnly: true}
{{- end }}
{{- end -}}

{{- define "hunarmitra.developmentVolume" -}}
{{- if .Values.development.enabled }}
- name: development
  configMap: {name: {{ printf "%s-development" (include "hunarmitra.fullname" .) | quote }}}
{{- end }}
{{- end -}}

{{/* Waits in an init container for the bundled servers, which start beside this pod. Takes root, workload, image,
`migrations` (whether to wait for those too) and process. */}}
{{- define "hunarmitra.wait" -}}
{{- $values := .root.Values -}}
{{- if $values.database.bundled.enabled }}
- name: wait
  image: {{ quote .image }}
  imagePullPolicy: {{ $values.image.pullPolicy }}
  command: [python, /wait/wait.py, database{{ if .migrations }}, migrations{{ if $values.redis.bundled.enabled }}, redis{{ end }}{{ end }}]
  env:
    {{- include "hunarmitra.environment" (dict "root" .root "process" (.process | default "http")) | trim | nindent 4 }}
    {{- with .workload.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- include "hunarmitra.containerSecurity" (dict "workload" .workload) | nindent 2 }}
  resources: {requests: {cpu: 20m, memory: 96Mi, ephemeral-storage: 64Mi}, limits: {memory: 256Mi, ephemeral-storage: 1Gi}}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    - {name: wait, mountPath: /wait, readOnly: true}
    {{- with .workload.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "hunarmitra.waitVolume" -}}
{{- if .Values.database.bundled.enabled }}
- name: wait
  configMap: {name: {{ printf "%s-wait" (include "hunarmitra.fullname" .) | quote }}}
{{- end }}
{{- end -}}

{{/* The mount and volume of the token between the operator and the ws pods. */}}
{{- define "hunarmitra.tokenMount" -}}
- {name: control-token, mountPath: /run/secrets/hunarmitra, readOnly: true}
{{- end -}}

{{- define "hunarmitra.tokenVolume" -}}
- name: control-token
  secret:
    secretName: {{ include "hunarmitra.secretName" . | quote }}
    items: [{key: CONTROL_TOKEN, path: token}]
{{- end -}}

{{/* A pod that runs one command of the http image: migrate, relay, prune, test. Takes what "hunarmitra.pod" takes, but the
image; with metricsPort it has /metrics and /livez there; `wait` is what it waits for: "database" or "migrations". */}}
{{- define "hunarmitra.commandPod" -}}
{{- $root := .root -}}
{{- $image := include "hunarmitra.image" (dict "root" $root "image" $root.Values.http.image) -}}
{{- $pod := dict "image" $image "env" (include "hunarmitra.commandPod.env" .) "ports" (include "hunarmitra.commandPod.ports" .) -}}
{{- if .wait -}}
{{- $_ := set $pod "initContainers" (include "hunarmitra.wait" (dict "root" $root "workload" .workload "image" $image "migrations" (eq .wait "migrations"))) -}}
{{- $_ := set $pod "volumes" (print (.volumes | default "") (include "hunarmitra.waitVolume" $root)) -}}
{{- end -}}
{{- include "hunarmitra.pod" (merge $pod .) -}}
{{- end -}}

{{- define "hunarmitra.commandPod.env" -}}
{{- include "hunarmitra.environment" (dict "root" .root "process" "http" "component" .component) }}
{{- with .metricsPort }}
- {name: METRICS_HOST, value: {{ $.root.Values.listenAddress | quote }}}
- {name: METRICS_PORT, value: {{ . | quote }}}
{{- end }}
{{- end -}}

{{- define "hunarmitra.commandPod.ports" -}}
{{- with .metricsPort }}
- {name: admin, containerPort: {{ . }}}
{{- end }}
{{- end -}}

{{/* Egress to an external database. */}}
{{- define "hunarmitra.toDatabase" -}}
- ports:
    - {port: {{ .Values.database.port }}, protocol: TCP}
  {{- with .Values.networkPolicy.databaseTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
