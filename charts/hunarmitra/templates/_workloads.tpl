{{/* What every workload takes: values of one pattern, resolved and rendered here and nowhere else. */}}

{{/*
The values of one workload, as YAML. Takes (dict "root" $ "component" "relay"). Later layers win: `workloads`, then what a
command takes from the process whose image it runs, then its own. Maps are merged, lists of additions are appended,
anything else is replaced.
*/}}
{{- define "hunarmitra.workload" -}}
{{- $values := .root.Values -}}
{{- $own := dict
  "http" $values.http "ws" $values.ws "relay" $values.relay "migrate" $values.migrations "prune" $values.prune
  "operator" $values.operator "crds" $values.crds "test" $values.test
  "postgresql" $values.database.bundled "redis" $values.redis.bundled -}}
{{- $placement := list "nodeSelector" "tolerations" "affinity" "priorityClassName" "runtimeClassName" "schedulerName"
  "hostAliases" "dnsPolicy" "dnsConfig" "podSecurityContext" "securityContext" -}}
{{- $additions := list "extraEnv" "extraEnvFrom" "extraVolumes" "extraVolumeMounts" "hostAliases" -}}
{{- $layers := list (dict "values" $values.workloads) -}}
{{- if has .component (list "relay" "migrate" "prune" "test") -}}
{{- $layers = append $layers (dict "values" $values.http "only" (concat $placement $additions)) -}}
{{- else if eq .component "crds" -}}
{{- $layers = append $layers (dict "values" $values.operator "only" $placement) -}}
{{- end -}}
{{- $layers = append $layers (dict "values" (get $own .component)) -}}
{{- $merged := dict -}}
{{- range $layer := $layers -}}
{{- range $key, $value := $layer.values -}}
{{- $old := get $merged $key -}}
{{- if or (kindIs "invalid" $value) (and $layer.only (not (has $key $layer.only))) -}}
{{- else if and (kindIs "map" $value) (kindIs "map" $old) -}}
{{- range $name, $part := $value }}{{ $_ := set $old $name $part }}{{ end -}}
{{- else if kindIs "map" $value -}}
{{- $_ := set $merged $key (merge (dict) $value) -}}
{{- else if and (kindIs "slice" $value) (has $key $additions) -}}
{{- $_ := set $merged $key (concat ($old | default list) $value) -}}
{{- else -}}
{{- $_ := set $merged $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (has .component (list "http" "ws")) $values.priorityClass.create (not $merged.priorityClassName) -}}
{{- $_ := set $merged "priorityClassName" (include "hunarmitra.clusterName" (dict "root" .root "name" (include "hunarmitra.fullname" .root))) -}}
{{- end -}}
{{- toYaml $merged -}}
{{- end -}}

{{/* A map without what was set to null, as YAML; nothing when nothing is left. */}}
{{- define "hunarmitra.present" -}}
{{- $kept := dict -}}
{{- range $key, $value := . }}{{ if not (kindIs "invalid" $value) }}{{ $_ := set $kept $key $value }}{{ end }}{{ end -}}
{{- with $kept }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* The securityContext of a pod. Of a bundled server the user is that of its image, unless users are left to the cluster. */}}
{{- define "hunarmitra.podSecurity" -}}
{{- $context := .workload.podSecurityContext | default dict -}}
{{- with .workload.runAsUser -}}
{{- range $key := list "runAsUser" "runAsGroup" "fsGroup" -}}
{{- if get $context $key }}{{ $_ := set $context $key ($.workload.runAsUser) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- with include "hunarmitra.present" $context }}
securityContext:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The securityContext of a container; `writable` is for development. */}}
{{- define "hunarmitra.containerSecurity" -}}
{{- $context := .workload.securityContext | default dict -}}
{{- if .writable }}{{ $_ := set $context "readOnlyRootFilesystem" false }}{{ end -}}
{{- with include "hunarmitra.present" $context }}
securityContext:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Where a pod runs. Takes root, component, workload. */}}
{{- define "hunarmitra.placement" -}}
{{- $workload := .workload -}}
{{- range $key := list "nodeSelector" "tolerations" "hostAliases" "dnsConfig" }}
{{- with get $workload $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- range $key := list "priorityClassName" "runtimeClassName" "schedulerName" "dnsPolicy" }}
{{- with get $workload $key }}
{{ $key }}: {{ quote . }}
{{- end }}
{{- end }}
{{- if $workload.affinity }}
affinity:
  {{- toYaml $workload.affinity | nindent 2 }}
{{- else if $workload.topologySpreadConstraints }}
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
{{- if $workload.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range $workload.topologySpreadConstraints }}
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

{{/*
One pod: its metadata and spec. Takes root, component, workload, and of its container: image, command, and as text env,
ports, probes, mounts. Optional: volumes and initContainers as text, user, account, token, grace, restartPolicy, writable,
checksum (roll the pods when the chart's own Secret changes), versioned (labels with the version).
*/}}
{{- define "hunarmitra.pod" -}}
{{- $root := .root -}}
{{- $workload := .workload -}}
{{- $labels := include (.versioned | default false | ternary "hunarmitra.podLabels" "hunarmitra.selector") . | fromYaml -}}
{{- if .versioned }}{{ $labels = merge $labels ($root.Values.commonLabels | default dict) }}{{ end -}}
{{- $annotations := $workload.podAnnotations | default dict -}}
{{- if and .checksum (not $root.Values.secrets.existingSecret) -}}
{{- $secret := (include (print $root.Template.BasePath "/secret.yaml") $root | fromYaml).stringData | toJson | sha256sum -}}
{{- $annotations = merge (dict "checksum/secret" $secret) $annotations -}}
{{- end -}}
metadata:
  labels:
    {{- merge $labels ($workload.podLabels | default dict) | toYaml | nindent 4 }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $workload.serviceAccountName | default .account }}
  serviceAccountName: {{ quote . }}
  {{- end }}
  {{- if not .token }}
  automountServiceAccountToken: false
  {{- end }}
  enableServiceLinks: false
  {{- with .restartPolicy }}
  restartPolicy: {{ . }}
  {{- end }}
  {{- with .deadline }}
  activeDeadlineSeconds: {{ . }}
  {{- end }}
  {{- include "hunarmitra.pullSecrets" $root | nindent 2 }}
  {{- include "hunarmitra.podSecurity" . | nindent 2 }}
  {{- with .grace }}
  terminationGracePeriodSeconds: {{ . }}
  {{- end }}
  {{- include "hunarmitra.placement" . | nindent 2 }}
  {{- if or .initContainers $workload.initContainers }}
  initContainers:
    {{- with .initContainers }}
    {{- . | trim | nindent 4 }}
    {{- end }}
    {{- with $workload.initContainers }}
    {{- tpl (toYaml .) $root | nindent 4 }}
    {{- end }}
  {{- end }}
  containers:
    - name: {{ .container | default .component }}
      image: {{ quote .image }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      {{- with .command }}
      command:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if or .env $workload.extraEnv }}
      env:
        {{- with .env }}
        {{- . | trim | nindent 8 }}
        {{- end }}
        {{- with $workload.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      {{- with $workload.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .ports }}
      ports:
        {{- . | trim | nindent 8 }}
      {{- end }}
      {{- with .probes }}
      {{- . | trim | nindent 6 }}
      {{- end }}
      {{- include "hunarmitra.containerSecurity" . | nindent 6 }}
      {{- with $workload.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- with .mounts }}
        {{- . | trim | nindent 8 }}
        {{- end }}
        {{- with $workload.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with $workload.extraContainers }}
    {{- tpl (toYaml .) $root | nindent 4 }}
    {{- end }}
  volumes:
    - name: tmp
      emptyDir: {{ with $workload.tmpSizeLimit }}{sizeLimit: {{ . }}}{{ else }}{}{{ end }}
    {{- with .volumes }}
    {{- . | trim | nindent 4 }}
    {{- end }}
    {{- with $workload.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* How a rollout replaces pods: `rollingUpdate` belongs to that type alone. */}}
{{- define "hunarmitra.strategy" -}}
{{- with . }}
strategy:
  {{- toYaml (eq (.type | default "RollingUpdate") "RollingUpdate" | ternary . (omit . "rollingUpdate")) | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Probes of `path: /livez` and `/readyz`; a value with a handler of its own replaces the path. Takes workload and, for
pods that serve, "ready". Null means none. While developing, nothing restarts a pod: it would lose the copied sources. */}}
{{- define "hunarmitra.probes" -}}
{{- $workload := .workload -}}
{{- range $name, $path := dict "startupProbe" (.startup | default "/livez") "readinessProbe" "/readyz" "livenessProbe" "/livez" }}
{{- $probe := get $workload $name }}
{{- if and $probe (or (eq $name "readinessProbe") (not $.writable)) }}
{{ $name }}:
  {{- if not (or $probe.httpGet $probe.tcpSocket $probe.exec $probe.grpc) }}
  httpGet: {path: {{ $path }}, port: admin}
  {{- end }}
  {{- toYaml $probe | nindent 2 }}
{{- end }}
{{- end }}
{{- with $workload.preStopSleepSeconds }}
lifecycle:
  preStop:
    sleep: {seconds: {{ . }}}
{{- end }}
{{- end -}}

{{/* The annotations of a hook, with those of the workload. Takes workload, hook, weight, and delete (a policy). */}}
{{- define "hunarmitra.hook" -}}
{{- $hook := dict "helm.sh/hook" .hook "helm.sh/hook-weight" .weight "helm.sh/hook-delete-policy" (.delete | default "before-hook-creation,hook-succeeded,hook-failed") -}}
{{- if .logs }}{{ $_ := set $hook "helm.sh/hook-output-log-policy" "hook-failed" }}{{ end -}}
{{- merge $hook ((.workload).annotations | default dict) | toYaml -}}
{{- end -}}

{{/* A Service of the pods of a component. Takes root, component, service (its values), ports as text. */}}
{{- define "hunarmitra.service" -}}
{{- $service := dict -}}
{{- range $layer := list .root.Values.services .service -}}
{{- range $key, $value := $layer -}}
{{- if and (kindIs "map" $value) (kindIs "map" (get $service $key)) -}}
{{- $_ := set $service $key (merge (dict) $value (get $service $key)) -}}
{{- else if not (kindIs "invalid" $value) -}}
{{- $_ := set $service $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "hunarmitra.metadata" (dict "root" .root "component" .component "name" (printf "%s-%s" (include "hunarmitra.fullname" .root) .component) "labels" $service.labels "annotations" $service.annotations) | nindent 2 }}
spec:
  {{- $type := $service.type | default "ClusterIP" }}
  type: {{ $type }}
  {{- range $key := list "ipFamilyPolicy" "internalTrafficPolicy" "sessionAffinity" "clusterIP" }}
  {{- with get $service $key }}
  {{ $key }}: {{ quote . }}
  {{- end }}
  {{- end }}
  {{- with $service.ipFamilies }}
  ipFamilies:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if ne $type "ClusterIP" }}
  {{- with $service.externalTrafficPolicy }}
  externalTrafficPolicy: {{ quote . }}
  {{- end }}
  {{- end }}
  {{- if eq $type "LoadBalancer" }}
  {{- range $key := list "loadBalancerClass" "loadBalancerIP" }}
  {{- with get $service $key }}
  {{ $key }}: {{ quote . }}
  {{- end }}
  {{- end }}
  {{- with $service.loadBalancerSourceRanges }}
  loadBalancerSourceRanges:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  selector:
    {{- include "hunarmitra.selector" . | nindent 4 }}
  ports:
    {{- .ports | trim | nindent 4 }}
    {{- if and $service.nodePort (ne $type "ClusterIP") }}
      nodePort: {{ $service.nodePort }}
    {{- end }}
{{- end -}}
