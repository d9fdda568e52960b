{{/* What pods have in common. */}}

{{- define "hunarmitra.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user | default 10001 }}
  runAsGroup: {{ .user | default 10001 }}
  fsGroup: {{ .user | default 10001 }}
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{/* Takes a dict; `writable` is for development. */}}
{{- define "hunarmitra.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: {{ not .writable }}
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* The port of tracing.endpoint. */}}
{{- define "hunarmitra.tracingPort" -}}
{{- $url := urlParse .Values.tracing.endpoint -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (ternary 443 80 (eq $url.scheme "https")) -}}
{{- end -}}

{{/* A value as text. Numbers of a values file are floating point, of which Go would make 1e+06 from a million on. */}}
{{- define "hunarmitra.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end -}}

{{/* The environment of every process that runs Django. */}}
{{- define "hunarmitra.environment" -}}
- name: SECRET_KEY
  valueFrom:
    secretKeyRef: {name: {{ include "hunarmitra.secretName" . }}, key: SECRET_KEY}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef: {name: {{ include "hunarmitra.secretName" . }}, key: DATABASE_URL}
- name: REDIS_URL
  valueFrom:
    secretKeyRef: {name: {{ include "hunarmitra.secretName" . }}, key: REDIS_URL}
- name: JWT_KEYS
  valueFrom:
    secretKeyRef: {name: {{ include "hunarmitra.secretName" . }}, key: JWT_KEYS, optional: true}
- name: ALLOWED_HOSTS
  value: {{ join "," .Values.config.allowedHosts | quote }}
- name: ALLOWED_ORIGINS
  value: {{ join "," .Values.config.allowedOrigins | quote }}
- name: TRUSTED_PROXIES
  value: {{ join "," .Values.config.trustedProxies | quote }}
- name: LOG_LEVEL
  value: {{ .Values.config.logLevel }}
- name: LOG_FORMAT
  value: {{ .Values.config.logFormat }}
{{- with .Values.tracing }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_EXPORTER_OTLP_PROTOCOL
  value: {{ .protocol }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef: {name: {{ include "hunarmitra.secretName" $ }}, key: OTEL_EXPORTER_OTLP_HEADERS, optional: true}
- name: OTEL_TRACES_SAMPLER
  value: {{ .sampler }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .ratio | quote }}
- name: POD_NAME
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: service.namespace=hunarmitra,k8s.namespace.name={{ $.Release.Namespace }},k8s.pod.name=$(POD_NAME)
{{- end }}
{{- end }}
{{- range $name, $value := .Values.config.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* Rolls the pods when a secret that this chart wrote changes; it cannot see an existing one. */}}
{{- define "hunarmitra.podAnnotations" -}}
{{- if not .root.Values.secrets.existingSecret }}
checksum/secret: {{ (include (print .root.Template.BasePath "/secret.yaml") .root | fromYaml).stringData | toJson | sha256sum }}
{{- end }}
{{- with .annotations }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Takes (dict "root" $ "component" "http" "values" .Values.http). */}}
{{- define "hunarmitra.scheduling" -}}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .values.affinity }}
affinity:
  {{- toYaml .values.affinity | nindent 2 }}
{{- else if .values.topologySpreadConstraints }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: topology.kubernetes.io/zone
          labelSelector:
            matchLabels:
              {{- include "hunarmitra.selector" . | nindent 14 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range .values.topologySpreadConstraints }}
  - {{ toYaml . | nindent 4 | trim }}
    {{- if not .labelSelector }}
    labelSelector:
      matchLabels:
        {{- include "hunarmitra.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Takes (dict "values" .Values.http "port" "admin"). */}}
{{- define "hunarmitra.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: {{ .port }}}
  {{- toYaml .values.startupProbe | nindent 2 }}
readinessProbe:
  httpGet: {path: /readyz, port: {{ .port }}}
  {{- toYaml .values.readinessProbe | nindent 2 }}
livenessProbe:
  httpGet: {path: /livez, port: {{ .port }}}
  {{- toYaml .values.livenessProbe | nindent 2 }}
{{- with .values.preStopSleepSeconds }}
lifecycle:
  preStop:
    sleep: {seconds: {{ . }}}
{{- end }}
{{- end -}}

{{/* A pod that runs one command of the http image: migrate, relay, prune. Takes root, component, command, resources;
with metricsPort it has /metrics and /livez there. */}}
{{- define "hunarmitra.commandPod" -}}
{{- $root := .root -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- include "hunarmitra.pullSecrets" $root }}
{{ include "hunarmitra.podSecurity" (dict) }}
{{- include "hunarmitra.scheduling" (dict "root" $root "component" .component "values" (omit $root.Values.http "topologySpreadConstraints")) }}
containers:
  - name: {{ .component }}
    image: {{ include "hunarmitra.image" (dict "root" $root "image" $root.Values.http.image) }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    command: {{ toJson .command }}
    env:
      {{- include "hunarmitra.environment" $root | nindent 6 }}
      {{- with .metricsPort }}
      - {name: METRICS_HOST, value: "0.0.0.0"}
      - {name: METRICS_PORT, value: {{ . | quote }}}
      {{- end }}
      {{- with $root.Values.http.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- with $root.Values.http.extraEnvFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .metricsPort }}
    ports:
      - {name: admin, containerPort: {{ . }}}
    startupProbe:
      httpGet: {path: /livez, port: admin}
      {{- toYaml $root.Values.relay.startupProbe | nindent 6 }}
    livenessProbe:
      httpGet: {path: /livez, port: admin}
      {{- toYaml $root.Values.relay.livenessProbe | nindent 6 }}
    {{- end }}
    {{- include "hunarmitra.containerSecurity" (dict) | nindent 4 }}
    resources:
      {{- toYaml .resources | nindent 6 }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      {{- with $root.Values.http.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - {name: tmp, emptyDir: {}}
  {{- with $root.Values.http.extraVolumes }}
  {{- toYaml . | nindent 2 }}
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
