{{/* What the names of all objects begin with. Pods of runtimes are named after it and a pool, so it is short. */}}
{{- define "weft.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 30 | trimSuffix "-" -}}
{{- end -}}

{{- define "weft.selector" -}}
app.kubernetes.io/instance: {{ include "weft.fullname" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "weft.labels" -}}
{{ include "weft.selector" . }}
app.kubernetes.io/name: weft
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "weft.image" -}}
{{- $registry := .root.Values.global.imageRegistry -}}
{{- if $registry }}{{ trimSuffix "/" $registry }}/{{ end }}{{ .image.repository }}:{{ default .root.Chart.AppVersion .image.tag }}
{{- end -}}

{{- define "weft.accessSecret" -}}
{{- default (printf "%s-access" (include "weft.fullname" .)) .Values.auth.existingSecret -}}
{{- end -}}

{{- define "weft.runtimeSecret" -}}
{{- default (printf "%s-runtime" (include "weft.fullname" .)) .Values.auth.existingRuntimeSecret -}}
{{- end -}}

{{/* A member of a Secret that is there already, or a new random one. */}}
{{- define "weft.kept" -}}
{{- $data := (lookup "v1" "Secret" .root.Release.Namespace .secret).data | default dict -}}
{{- if hasKey $data .member }}{{ index $data .member }}{{ else }}{{ printf "weft_%s" (randAlphaNum 43) | b64enc }}{{ end -}}
{{- end -}}

{{- define "weft.podSecurityContext" -}}
{{- $restricted := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- toYaml (merge (deepCopy .Values.podSecurityContext) $restricted) -}}
{{- end -}}

{{- define "weft.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "weft.spread" -}}
{{- if .settings.topologySpread }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "weft.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "weft.placement" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The address of the external database. */}}
{{- define "weft.databaseUrl" -}}
{{- with .Values.externalDatabase -}}
{{- $tls := ternary (dict "sslmode" "verify-full" "sslrootcert" "/etc/weft/database-ca/ca.crt") dict (ne .caSecret "") -}}
{{- $parameters := list -}}
{{- range $name, $value := merge (deepCopy .parameters) $tls -}}
{{- $parameters = append $parameters (printf "%s=%s" $name (toString $value | urlquery)) -}}
{{- end -}}
jdbc:postgresql://{{ .host }}:{{ .port }}/{{ .database }}{{ with $parameters }}?{{ join "&" . }}{{ end }}
{{- end -}}
{{- end -}}

{{/* What gateways and controllers have in common. */}}
{{- define "weft.platformEnv" -}}
- {name: WEFT_HOME, value: /var/lib/weft}
- {name: WEFT_HTTP_HOST, value: 0.0.0.0}
- {name: WEFT_HTTP_PORT, value: "8080"}
- {name: WEFT_CLUSTER_ENABLED, value: "true"}
- {name: WEFT_CLUSTER_NAME, value: {{ include "weft.fullname" . }}}
- {name: WEFT_CLUSTER_RUNTIME_SECRET_FILE, value: /etc/weft/runtime/secret}
- name: WEFT_CLUSTER_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: WEFT_CLUSTER_POD
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- {name: QUARKUS_LOG_CONSOLE_LEVEL, value: INFO}
- {name: QUARKUS_LOG_CONSOLE_JSON_ENABLED, value: "true"}
- {name: QUARKUS_LOG_FILE_ENABLED, value: "false"}
{{- end -}}

{{- define "weft.platformProbes" -}}
ports:
  - {name: http, containerPort: 8080}
startupProbe:
  httpGet: {path: /health, port: http}
  periodSeconds: 2
  failureThreshold: 150
# A gateway that knows nothing yet is not ready.
readinessProbe:
  httpGet: {path: /q/health/ready, port: http}
  periodSeconds: 2
  timeoutSeconds: 2
livenessProbe:
  httpGet: {path: /health, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end -}}
