{{/* What a schema cannot say. Every message names the value and what to do. */}}

{{- define "hunarmitra.validate" -}}
{{- include "hunarmitra.validate.config" . -}}
{{- include "hunarmitra.validate.secrets" . -}}
{{- include "hunarmitra.validate.drain" . -}}
{{- include "hunarmitra.validate.memory" . -}}
{{- include "hunarmitra.validate.operator" . -}}
{{- include "hunarmitra.validate.kinds" . -}}
{{- include "hunarmitra.validate.extraObjects" . -}}
{{- end -}}

{{- define "hunarmitra.validate.config" -}}
{{- if not .Values.config.allowedHosts -}}
{{- fail "config.allowedHosts is empty, so every request would be rejected: name the hosts under which the API is reached, e.g. --set config.allowedHosts={api.example.org}." -}}
{{- end -}}
{{- if and (or .Values.ingress.enabled .Values.httpRoute.enabled) (not .Values.config.trustedProxies) -}}
{{- fail "config.trustedProxies is empty although an Ingress or HTTPRoute is enabled: every client would have the ingress's address and share its rate limits. Name the addresses of the ingress controller's pods, e.g. --set config.trustedProxies={10.244.0.0/16}." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is empty: name the Gateway to attach to, e.g. [{name: public, namespace: gateways}]." -}}
{{- end -}}
{{- if and .Values.ingress.enabled (le (int .Values.http.options.keepAliveSeconds) (int .Values.ingress.upstreamKeepAliveSeconds)) -}}
{{- fail (printf "http.options.keepAliveSeconds (%v) must be greater than ingress.upstreamKeepAliveSeconds (%v): otherwise the ingress sometimes sends a request into a connection that is being closed, and answers 502." .Values.http.options.keepAliveSeconds .Values.ingress.upstreamKeepAliveSeconds) -}}
{{- end -}}
{{- end -}}

{{- define "hunarmitra.validate.secrets" -}}
{{- if not .Values.secrets.existingSecret -}}
{{- $create := printf "create a Secret with SECRET_KEY, DATABASE_URL, REDIS_URL and CONTROL_TOKEN, and name it in secrets.existingSecret (docs/operations.md shows how)" -}}
{{- if not .Values.database.bundled.enabled -}}
{{- fail (printf "secrets.existingSecret is empty, but the address of an external database is a secret: %s. To try the chart out, set database.bundled.enabled=true and redis.bundled.enabled=true instead." $create) -}}
{{- end -}}
{{- if not .Values.redis.bundled.enabled -}}
{{- fail (printf "secrets.existingSecret is empty, but the address of an external Redis is a secret: %s. To try the chart out, set redis.bundled.enabled=true instead." $create) -}}
{{- end -}}
{{- if not .Values.secrets.secretKey -}}
{{- fail (printf "secrets.secretKey is empty: %s; to try the chart out, --set secrets.secretKey=$(openssl rand -hex 32)." $create) -}}
{{- end -}}
{{- else if .Values.secrets.secretKey -}}
{{- fail "secrets.existingSecret and secrets.secretKey are both set: remove secretKey, it would not be used." -}}
{{- end -}}
{{- end -}}

{{- define "hunarmitra.validate.drain" -}}
{{- $http := .Values.http -}}
{{- $least := add $http.preStopSleepSeconds $http.options.graceSeconds 5 -}}
{{- if lt (int $http.terminationGracePeriodSeconds) (int $least) -}}
{{- fail (printf "http.terminationGracePeriodSeconds (%v) is too short: http.preStopSleepSeconds (%v) + http.options.graceSeconds (%v) + 5 = %v, or running requests are interrupted." $http.terminationGracePeriodSeconds ($http.preStopSleepSeconds | default 0) $http.options.graceSeconds $least) -}}
{{- end -}}
{{- $ws := .Values.ws -}}
{{- $drain := add $ws.options.drainSettleSeconds $ws.options.drainWindowSeconds 5 -}}
{{- if lt (int $ws.options.graceSeconds) (int $drain) -}}
{{- fail (printf "ws.options.graceSeconds (%v) is too short: drainSettleSeconds (%v) + drainWindowSeconds (%v) + 5 = %v, or a drain cuts clients off." $ws.options.graceSeconds $ws.options.drainSettleSeconds $ws.options.drainWindowSeconds $drain) -}}
{{- end -}}
{{- $least = add $ws.preStopSleepSeconds $ws.options.graceSeconds 5 -}}
{{- if lt (int $ws.terminationGracePeriodSeconds) (int $least) -}}
{{- fail (printf "ws.terminationGracePeriodSeconds (%v) is too short: ws.preStopSleepSeconds (%v) + ws.options.graceSeconds (%v) + 5 = %v, or a drain is cut off." $ws.terminationGracePeriodSeconds ($ws.preStopSleepSeconds | default 0) $ws.options.graceSeconds $least) -}}
{{- end -}}
{{- with $ws.readinessProbe -}}
{{- $ready := mul (.periodSeconds | default 10) (.failureThreshold | default 3) -}}
{{- if le (int $ws.options.drainSettleSeconds) (int $ready) -}}
{{- fail (printf "ws.options.drainSettleSeconds (%v) must be greater than readinessProbe.periodSeconds × failureThreshold (%v): a pod that the operator drains has to be out of the endpoints before it moves its connections." $ws.options.drainSettleSeconds $ready) -}}
{{- end -}}
{{- else -}}
{{- if .Values.operator.enabled -}}
{{- fail "ws.readinessProbe is null although the operator is enabled: the operator takes a pod out of the endpoints by its readiness." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A Kubernetes quantity of memory in bytes, in its usual forms; 0 for none. */}}
{{- define "hunarmitra.bytes" -}}
{{- $text := toString . -}}
{{- $units := dict "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "" 1 -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{- if not (hasKey $units $unit) -}}
{{- fail (printf "%s is not an amount of memory that this chart understands: use Mi or Gi." $text) -}}
{{- end -}}
{{- mulf (float64 (trimSuffix $unit $text)) (get $units $unit) | int64 -}}
{{- end -}}

{{/* 128 MiB for an idle process, 40 KiB for a connection: measured 95 MiB and 22 KiB. */}}
{{- define "hunarmitra.validate.memory" -}}
{{- with ((.Values.ws.resources).limits).memory -}}
{{- $options := $.Values.ws.options -}}
{{- $needed := add 134217728 (mul $options.maxConnections (add 40960 $options.sendBufferBytes)) -}}
{{- if lt (include "hunarmitra.bytes" . | int64) $needed -}}
{{- fail (printf "ws.resources.limits.memory (%v) is too small for %v connections: 128 MiB + maxConnections × (40 KiB + sendBufferBytes %v) = %vMi. Raise the limit, or lower ws.options.maxConnections or sendBufferBytes." . $options.maxConnections $options.sendBufferBytes (add 1 (div $needed 1048576))) -}}
{{- end -}}
{{- end -}}
{{- with ((.Values.http.resources).limits).memory -}}
{{- $needed := mul $.Values.http.options.workers 167772160 -}}
{{- if lt (include "hunarmitra.bytes" . | int64) $needed -}}
{{- fail (printf "http.resources.limits.memory (%v) is too small: http.options.workers (%v) × 160 MiB = %vMi." . $.Values.http.options.workers (div $needed 1048576)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "hunarmitra.validate.operator" -}}
{{- $scaling := .Values.ws.autoscaling -}}
{{- if and $scaling.enabled (not .Values.operator.enabled) -}}
{{- fail "ws.autoscaling.enabled needs the operator: set operator.enabled=true." -}}
{{- end -}}
{{- if and .Values.operator.enabled (not $scaling.enabled) (not .Values.operator.watchNamespaces) -}}
{{- fail "operator.enabled is true, but there is nothing for it to scale: set ws.autoscaling.enabled=true, or name the namespaces of other targets in operator.watchNamespaces." -}}
{{- end -}}
{{- if $scaling.enabled -}}
{{- if gt (int $scaling.targetConnections) (int .Values.ws.options.maxConnections) -}}
{{- fail (printf "ws.autoscaling.targetConnections (%v) must not be greater than ws.options.maxConnections (%v)." $scaling.targetConnections .Values.ws.options.maxConnections) -}}
{{- end -}}
{{- $window := (($scaling.spec).drain).windowSeconds | default 120 -}}
{{- $least := add .Values.ws.options.drainSettleSeconds .Values.ws.options.drainWindowSeconds -}}
{{- if lt (int $window) (int $least) -}}
{{- fail (printf "ws.autoscaling.spec.drain.windowSeconds (%v) must be at least ws.options.drainSettleSeconds + drainWindowSeconds (%v), or pods are removed before they are empty." $window $least) -}}
{{- end -}}
{{- end -}}
{{- range $name, $scaling := dict "http" .Values.http.autoscaling "ws" .Values.ws.autoscaling -}}
{{- if and $scaling.enabled (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- fail (printf "%s.autoscaling.minReplicas (%v) must not be greater than maxReplicas (%v)." $name $scaling.minReplicas $scaling.maxReplicas) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
Kinds of others, on a cluster that does not have them: the API server's message would name neither value nor remedy. A
rendering without a cluster (`helm template`, Argo CD) knows no kinds, not even Deployment, and is not judged.
*/}}
{{- define "hunarmitra.validate.kinds" -}}
{{- $has := .Capabilities.APIVersions -}}
{{- if $has.Has "apps/v1/Deployment" -}}
{{- range $wanted := list
  (list (and .Values.monitoring.enabled .Values.monitoring.podMonitors) "monitoring.coreos.com/v1/PodMonitor" "monitoring.podMonitors" "the Prometheus operator")
  (list (and .Values.monitoring.enabled .Values.monitoring.rules) "monitoring.coreos.com/v1/PrometheusRule" "monitoring.rules" "the Prometheus operator")
  (list (and .Values.monitoring.enabled .Values.monitoring.inhibitRules) "monitoring.coreos.com/v1alpha1/AlertmanagerConfig" "monitoring.inhibitRules" "the Prometheus operator")
  (list .Values.httpRoute.enabled "gateway.networking.k8s.io/v1/HTTPRoute" "httpRoute.enabled" "the Gateway API") -}}
{{- if and (index $wanted 0) (not ($has.Has (index $wanted 1))) -}}
{{- fail (printf "%s is true, but this cluster does not have the kind %s: install the definitions of %s, or set %s=false." (index $wanted 2) (base (index $wanted 1)) (index $wanted 3) (index $wanted 2)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
The migration is a hook where the database is external: it runs before extraObjects are installed. A Secret or ConfigMap
that its pod reads has to be a hook too, with a lower weight, or the pod waits for it until Helm gives up.
*/}}
{{- define "hunarmitra.validate.extraObjects" -}}
{{- if and .Values.migrations.enabled (not .Values.database.bundled.enabled) -}}
{{- $read := list -}}
{{- range regexFindAll "(name|secretName): *\"?[-.a-z0-9]+" (include "hunarmitra.migratePod" .) -1 -}}
{{- $read = append $read (regexFind "[-.a-z0-9]+$" .) -}}
{{- end -}}
{{- range .Values.extraObjects -}}
{{- $object := tpl (kindIs "string" . | ternary . (toYaml .)) $ | fromYaml -}}
{{- $metadata := $object.metadata | default dict -}}
{{- $made := (($object.spec).target).name | default $metadata.name | default "" -}}
{{- if and (has $object.kind (list "Secret" "ConfigMap" "ExternalSecret" "SealedSecret")) (has $made $read) -}}
{{- $annotations := $metadata.annotations | default dict -}}
{{- $hooks := splitList "," (get $annotations "helm.sh/hook" | replace " " "") -}}
{{- if not (and (has "pre-install" $hooks) (has "pre-upgrade" $hooks) (lt (get $annotations "helm.sh/hook-weight" | default "0" | int) -5)) -}}
{{- fail (printf "extraObjects: the migration reads %s %s, but runs before it is installed. Give it the annotations helm.sh/hook: pre-install,pre-upgrade, helm.sh/hook-weight: \"-20\" and helm.sh/hook-delete-policy: before-hook-creation, or install it before this release (docs/operations.md, Secrets)." $object.kind $made) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
