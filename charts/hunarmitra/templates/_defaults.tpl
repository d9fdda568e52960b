{{/* Values that an earlier chart did not have. */}}

{{/*
`helm upgrade --reuse-values` takes the values of the last release, and none of the new chart's defaults. So every
template includes this first: it adds the defaults that are absent. `valuesVersion` says which chart the values are of;
with today's values an absent key is a null that somebody set, and stays absent.
*/}}
{{- define "hunarmitra.defaults" -}}
{{- $defaults := .Files.Get "files/defaults.yaml" | fromYaml -}}
{{- if ne (.Values.valuesVersion | default "") $defaults.valuesVersion -}}
{{- include "hunarmitra.fill" (dict "values" .Values "defaults" $defaults) -}}
{{- $_ := set .Values "valuesVersion" $defaults.valuesVersion -}}
{{- end -}}
{{- end -}}

{{/* Copies what `values` has not from `defaults`, level by level. (Sprig's merge would also replace false, 0 and "".) */}}
{{- define "hunarmitra.fill" -}}
{{- range $key, $default := .defaults -}}
{{- if not (hasKey $.values $key) -}}
{{- $_ := set $.values $key $default -}}
{{- else if and (kindIs "map" $default) (kindIs "map" (get $.values $key)) -}}
{{- include "hunarmitra.fill" (dict "values" (get $.values $key) "defaults" $default) -}}
{{- end -}}
{{- end -}}
{{- end -}}
