{{- /* Which parts there are to be called or to call. */ -}}
{{- define "autoretrain.parts" -}}
{{- $values := .Values -}}
operator: true
mlflow: {{ $values.mlflow.enabled }}
postgresql: {{ $values.postgresql.enabled }}
prometheus: {{ $values.prometheus.enabled }}
dashboard: {{ $values.dashboard.enabled }}
passwords: {{ and $values.postgresql.enabled (not $values.postgresql.existingSecret) }}
sample: {{ $values.samples.smsSpam.enabled }}
test: true
serving: true
monitor: true
agent: true
training: true
{{- end -}}

{{- /* Pods of the table as the peer of a policy: (list $ POD-OF-THE-TABLE "elsewhere"), the last where the policy itself
is for Pods of a SpamModel: these call each other within one namespace only. */ -}}
{{- define "autoretrain.peer" -}}
{{- $root := index . 0 -}}
{{- $pod := index . 1 -}}
{{- $elsewhere := index . 2 -}}
{{- $namespaces := ternary $root.Values.operator.namespaces (list $root.Release.Namespace) (hasKey $pod "elsewhere") -}}
{{- if ne (hasKey $pod "elsewhere") $elsewhere }}
{{- if $namespaces }}
namespaceSelector:
  matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: {{ toJson $namespaces }}}]
{{- else }}
namespaceSelector: {}
{{- end }}
{{- end }}
podSelector:
  matchLabels:
    {{- toYaml $pod.labels | nindent 4 }}
{{- end -}}

{{- /* Ports at which a part is called outside of the chart, as a JSON list: (list $ caller part). */ -}}
{{- define "autoretrain.outsidePorts" -}}
{{- $values := (index . 0).Values -}}
{{- $addresses := list -}}
{{- $ports := list -}}
{{- if eq (index . 2) "mlflow" -}}
{{- $addresses = prepend $values.operator.registryAllowed $values.mlflow.url -}}
{{- else if eq (index . 2) "prometheus" -}}
{{- $addresses = prepend $values.operator.prometheusAllowed $values.prometheus.url -}}
{{- else if eq (index . 2) "postgresql" -}}
{{- /* These addresses are in Secrets, so the port is the usual one. */ -}}
{{- $own := and (eq (index . 1) "mlflow") $values.mlflow.database.existingSecret -}}
{{- if or $own (not $values.postgresql.enabled) }}{{ $ports = list 5432 }}{{ end -}}
{{- end -}}
{{- range compact $addresses -}}
{{- $address := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $address.host | trimPrefix ":" -}}
{{- $ports = append $ports (int ($port | default (ternary "443" "80" (eq $address.scheme "https")))) -}}
{{- end -}}
{{- uniq $ports | toJson -}}
{{- end -}}

{{- /* Whole policy of a part: (dict "root" $ "part" P), and for Pods of a SpamModel "namespace". */ -}}
{{- define "autoretrain.policy" -}}
{{- $root := .root -}}
{{- $part := .part -}}
{{- $elsewhere := hasKey . "namespace" -}}
{{- $policies := $root.Values.networkPolicies -}}
{{- $table := $root.Files.Get "files/connections.yaml" | fromYaml -}}
{{- $there := include "autoretrain.parts" $root | fromYaml -}}
{{- $ingress := list -}}
{{- $egress := list -}}
{{- range $table.connections -}}
{{- $port := dict "port" (int .port) -}}
{{- if eq .to $part -}}
{{- if eq .from "clients" -}}
{{- $ingress = append $ingress (merge (dict "ports" (list $port)) ($policies.spamModels.clients | empty | ternary dict (dict "from" $policies.spamModels.clients))) -}}
{{- else if index $there .from -}}
{{- $ingress = append $ingress (dict "ports" (list $port) "from" (list (include "autoretrain.peer" (list $root (index $table.pods .from) $elsewhere) | fromYaml))) -}}
{{- else if eq .from "prometheus" -}}
{{- /* One of somebody else's may be anywhere. */ -}}
{{- $ingress = append $ingress (dict "ports" (list $port)) -}}
{{- end -}}
{{- else if eq .from $part -}}
{{- if eq .to "the API server" -}}
{{- $rule := dict "ports" list -}}
{{- range $policies.apiServer.ports }}{{ $_ := set $rule "ports" (append $rule.ports (dict "port" (int .))) }}{{ end -}}
{{- with $policies.apiServer.peers }}{{ $_ := set $rule "to" . }}{{ end -}}
{{- $egress = append $egress $rule -}}
{{- else if not (hasKey $table.pods .to) -}}
{{- $egress = append $egress (dict "ports" (list $port)) -}}
{{- else -}}
{{- if index $there .to -}}
{{- $egress = append $egress (dict "ports" (list $port) "to" (list (include "autoretrain.peer" (list $root (index $table.pods .to) $elsewhere) | fromYaml))) -}}
{{- end -}}
{{- range include "autoretrain.outsidePorts" (list $root $part .to) | fromJsonArray -}}
{{- $egress = append $egress (dict "ports" (list (dict "port" (int .)))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- /* Who calls anybody asks for names first. */ -}}
{{- if $egress -}}
{{- $egress = append $egress (dict "ports" (list (dict "port" 53 "protocol" "UDP") (dict "port" 53))) -}}
{{- end -}}
{{- with index $policies.extraFrom $part }}{{ $ingress = append $ingress (dict "from" .) }}{{ end -}}
{{- with index $policies.extraTo $part }}{{ $egress = append $egress (dict "to" .) }}{{ end -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "autoretrain.metadata" (dict "root" $root "name" (printf "autoretrain-%s" $part) "part" $part "namespace" (.namespace | default "")) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "autoretrain.selector" (list $root $part) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- toYaml $ingress | nindent 4 }}
  egress:
    {{- toYaml $egress | nindent 4 }}
{{- end -}}
