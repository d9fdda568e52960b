{{/* What a schema cannot say. Every message names the value and what to do. */}}

{{- define "hunarmitra.validate" -}}
{{- include "hunarmitra.validate.config" . -}}
{{- include "hunarmitra.validate.secrets" . -}}
{{- include "hunarmitra.validate.drain" . -}}
{{- include "hunarmitra.validate.memory" . -}}
{{- include "hunarmitra.validate.operator" . -}}
{{- end -}}

{{- define "hunarmitra.validate.config" -}}
{{- if not .Values.config.allowedHosts -}}
{{- fail "config.allowedHosts is empty, so every request would be refused: name the hosts under which the API is reached, e.g. --set config.allowedHosts={api.example.org}." -}}
{{- end -}}
{{- if and (or .Values.ingress.enabled .Values.httpRoute.enabled) (not .Values.config.trustedProxies) -}}
{{- fail "config.trustedProxies is empty although an Ingress or HTTPRoute is enabled: every client would have the ingress's address and share its rate limits. Name the addresses of the ingress controller's pods, e.g. --set config.trustedProxies={10.244.0.0/16}." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is empty: name the Gateway to attach to, e.g. [{name: public, namespace: gateways}]." -}}
{{- end -}}
{{- if and .Values.ingress.enabled (le (int .Values.http.options.keepAliveSeconds) (int .Values.ingress.upstreamKeepAliveSeconds)) -}}
{{- fail (printf "http.options.keepAliveSeconds (%v) must be greater than ingress.upstreamKeepAliveSeconds (%v): otherwise the ingress now and then sends a request into a connection that is being closed, and answers 502." .Values.http.options.keepAliveSeconds .Values.ingress.upstreamKeepAliveSeconds) -}}
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
{{- fail (printf "http.terminationGracePeriodSeconds (%v) is too short: http.preStopSleepSeconds (%v) + http.options.graceSeconds (%v) + 5 = %v, or running requests are cut off." $http.terminationGracePeriodSeconds $http.preStopSleepSeconds $http.options.graceSeconds $least) -}}
{{- end -}}
{{- $ws := .Values.ws -}}
{{- $drain := add $ws.options.drainSettleSeconds $ws.options.drainWindowSeconds 5 -}}
{{- if lt (int $ws.options.graceSeconds) (int $drain) -}}
{{- fail (printf "ws.options.graceSeconds (%v) is too short: drainSettleSeconds (%v) + drainWindowSeconds (%v) + 5 = %v, or a drain cuts clients off." $ws.options.graceSeconds $ws.options.drainSettleSeconds $ws.options.drainWindowSeconds $drain) -}}
{{- end -}}
{{- $least = add $ws.preStopSleepSeconds $ws.options.graceSeconds 5 -}}
{{- if lt (int $ws.terminationGracePeriodSeconds) (int $least) -}}
{{- fail (printf "ws.terminationGracePeriodSeconds (%v) is too short: ws.preStopSleepSeconds (%v) + ws.options.graceSeconds (%v) + 5 = %v, or a drain is cut off." $ws.terminationGracePeriodSeconds $ws.preStopSleepSeconds $ws.options.graceSeconds $least) -}}
{{- end -}}
{{- $ready := mul ($ws.readinessProbe.periodSeconds | default 10) ($ws.readinessProbe.failureThreshold | default 3) -}}
{{- if le (int $ws.options.drainSettleSeconds) (int $ready) -}}
{{- fail (printf "ws.options.drainSettleSeconds (%v) must be greater than readinessProbe.periodSeconds × failureThreshold (%v): a pod that the operator drains has to be out of the endpoints before it moves its sockets." $ws.options.drainSettleSeconds $ready) -}}
{{- end -}}
{{- end -}}

{{/* A Kubernetes quantity of memory in bytes, in its usual forms; 0 for none. */}}
{{- define "hunarmitra.bytes" -}}
{{- $text := toString . -}}
{{- $units := dict "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "" 1 -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{- if not (hasKey $units $unit) -}}
{{- fail (printf "%s is no amount of memory that this chart understands: use Mi or Gi." $text) -}}
{{- end -}}
{{- mulf (float64 (trimSuffix $unit $text)) (get $units $unit) | int64 -}}
{{- end -}}

{{/* 128 MiB for an idle process, 40 KiB for a socket: measured 95 MiB and 22 KiB. */}}
{{- define "hunarmitra.validate.memory" -}}
{{- with (.Values.ws.resources.limits).memory -}}
{{- $options := $.Values.ws.options -}}
{{- $needed := add 134217728 (mul $options.maxConnections (add 40960 $options.sendBufferBytes)) -}}
{{- if lt (include "hunarmitra.bytes" . | int64) $needed -}}
{{- fail (printf "ws.resources.limits.memory (%v) is too small for %v connections: 128 MiB + maxConnections × (40 KiB + sendBufferBytes %v) = %vMi. Raise the limit, or lower ws.options.maxConnections or sendBufferBytes." . $options.maxConnections $options.sendBufferBytes (add 1 (div $needed 1048576))) -}}
{{- end -}}
{{- end -}}
{{- with (.Values.http.resources.limits).memory -}}
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
{{- if and .Values.operator.enabled (not $scaling.enabled) -}}
{{- fail "operator.enabled is true, but there is nothing for it to scale: set ws.autoscaling.enabled=true." -}}
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
