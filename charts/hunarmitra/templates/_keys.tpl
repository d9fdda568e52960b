{{/* Keys of the Secret that the chart makes. They follow from secrets.secretKey, as its passwords do. */}}

{{/*
"true" if the chart's Secret has keys of its own for tokens and messages. A Secret of an earlier release has none, and
stays so until secrets.wsKeys is public: its pods would reject tokens of a new key during the upgrade. A rendering
without a cluster (`helm template`, Argo CD) finds no Secret.
*/}}
{{- define "hunarmitra.makesKeys" -}}
{{- if not .Values.secrets.existingSecret -}}
{{- $found := lookup "v1" "Secret" .Release.Namespace (include "hunarmitra.fullname" .) -}}
{{- $has := hasKey (($found | default dict).data | default dict) "JWT_PUBLIC_KEYS" -}}
{{- if or $has (eq .Values.secrets.wsKeys "public") (and (not .Values.secrets.wsKeys) (not $found)) -}}
true
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
JWT_KEYS, JWT_PUBLIC_KEYS and MESSAGE_KEYS. The Ed25519 key is written out as RFC 8410 has it: a fixed beginning and 32
bytes, here 32 hexadecimal digits (128 bits). A template has no function for its public half, but the certificate of a
key contains it. The certificate is random, its public half is not. `default` is the key that the processes derive
from SECRET_KEY: http still accepts tokens that were issued before.
*/}}
{{- define "hunarmitra.keys" -}}
{{- $seed := sha256sum (printf "tokens %s" .Values.secrets.secretKey) | trunc 32 -}}
{{- $private := printf "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n" (b64enc (print "\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20" $seed)) -}}
{{- $certificate := (genSelfSignedCertWithKey "hunarmitra" list list 1 $private).Cert -}}
{{- $encoded := regexReplaceAll "-----[A-Z ]+-----|\\s" $certificate "" | b64dec -}}
{{- $beginning := "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00" -}}
{{- $half := index (splitList $beginning $encoded) 1 | trunc 32 -}}
{{- $public := printf "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n" (b64enc (print $beginning $half)) -}}
{{- $kid := printf "chart-%s" (sha256sum $public | trunc 8) -}}
JWT_KEYS: {{ list (dict "kid" $kid "alg" "EdDSA" "private_key" $private) (dict "kid" "default" "alg" "HS256") | toJson | quote }}
JWT_PUBLIC_KEYS: {{ list (dict "kid" $kid "alg" "EdDSA" "public_key" $public) | toJson | quote }}
MESSAGE_KEYS: {{ list (sha256sum (printf "messages %s" .Values.secrets.secretKey)) | toJson | quote }}
{{- end -}}
