{{- /* Labels that find the Pods of a part. They can never change. Called with (list $ part). */ -}}
{{- define "autoretrain.selector" -}}
{{- $table := (index . 0).Files.Get "files/connections.yaml" | fromYaml -}}
{{- (index $table.pods (index . 1)).labels | toYaml -}}
{{- end -}}

{{- /* Metadata of an object: (dict "root" $ "name" N), and where it has them "part", "namespace" ("-": none), "labels", "annotations". */ -}}
{{- define "autoretrain.metadata" -}}
{{- $root := .root -}}
{{- $labels := dict "helm.sh/chart" (printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_")) "app.kubernetes.io/instance" $root.Release.Name "app.kubernetes.io/version" $root.Chart.AppVersion "app.kubernetes.io/managed-by" $root.Release.Service "app.kubernetes.io/part-of" "autoretrain" -}}
{{- if .part -}}
{{- $labels = mergeOverwrite $labels (include "autoretrain.selector" (list $root .part) | fromYaml) -}}
{{- end -}}
{{- $annotations := merge (dict) (.annotations | default dict) $root.Values.commonAnnotations -}}
name: {{ .name | quote }}
{{- if ne (.namespace | default "") "-" }}
namespace: {{ .namespace | default $root.Release.Namespace | quote }}
{{- end }}
labels:
  {{- merge $labels (.labels | default dict) $root.Values.commonLabels | toYaml | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* A cluster has one of that name only, so the release's namespace is part of it: (list $ name). */ -}}
{{- define "autoretrain.clusterName" -}}
{{ index . 1 }}-{{ (index . 0).Release.Namespace }}
{{- end -}}

{{- /* (list $ key), a key of `images`. */ -}}
{{- define "autoretrain.image" -}}
{{- $root := index . 0 -}}
{{- $images := $root.Values.images -}}
{{- $image := index $images (index . 1) -}}
{{- with $images.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default $images.tag | default $root.Chart.AppVersion }}{{ end -}}
{{- end -}}

{{- /* `pod` of the values with what a part says of its own: (list $ part). */ -}}
{{- define "autoretrain.pod" -}}
{{- $values := (index . 0).Values -}}
{{- $own := (index $values (index . 1) | default dict).pod | default dict -}}
{{- mergeOverwrite (deepCopy $values.pod) (deepCopy $own) | toYaml -}}
{{- end -}}

{{- /* Metadata of a Pod: (list $ part annotations). */ -}}
{{- define "autoretrain.podMetadata" -}}
{{- $root := index . 0 -}}
{{- $pod := include "autoretrain.pod" . | fromYaml -}}
{{- $own := include "autoretrain.selector" . | fromYaml -}}
labels:
  {{- merge $own (dict "app.kubernetes.io/instance" $root.Release.Name) $pod.labels $root.Values.commonLabels | toYaml | nindent 2 }}
{{- with merge (dict) (index . 2) $pod.annotations $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Where a Pod runs, and how its images are pulled: (list $ part). */ -}}
{{- define "autoretrain.placement" -}}
{{- $pod := include "autoretrain.pod" . | fromYaml -}}
{{- $said := dict "imagePullSecrets" (index . 0).Values.images.pullSecrets -}}
{{- range list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" -}}
{{- $_ := set $said . (index $pod .) -}}
{{- end -}}
{{- range $name, $value := $said -}}
{{- if $value }}
{{ dict $name $value | toYaml }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Our variables and the user's, each name once, the user's last: (list $ part (dict "ours" LIST "extra" LIST)). */ -}}
{{- define "autoretrain.env" -}}
{{- $pod := include "autoretrain.pod" . | fromYaml -}}
{{- $named := dict -}}
{{- $order := list -}}
{{- range concat (index . 2).ours $pod.env ((index . 2).extra | default list) -}}
{{- if not (hasKey $named .name) }}{{ $order = append $order .name }}{{ end -}}
{{- $_ := set $named .name . -}}
{{- end -}}
{{- $env := list -}}
{{- range $order }}{{ $env = append $env (index $named .) }}{{ end -}}
{{- with $env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* A list of ours and the user's: (list $ part "volumes" LIST). */ -}}
{{- define "autoretrain.with" -}}
{{- $pod := include "autoretrain.pod" . | fromYaml -}}
{{- with concat (index . 3) (index $pod (index . 2)) }}
{{ index $ 2 }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "autoretrain.containerSecurity" -}}
imagePullPolicy: {{ .Values.images.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- /* Body of a claim: (dict "size" S "storageClassName" C). */ -}}
{{- define "autoretrain.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .storageClassName }}
storageClassName: {{ . | quote }}
{{- end }}
resources: {requests: {storage: {{ .size | quote }}}}
{{- end -}}

{{- define "autoretrain.operatorAccount" -}}
{{ .Values.operator.serviceAccount.name | default "autoretrain-controller" }}
{{- end -}}

{{- define "autoretrain.passwords" -}}
{{ .Values.postgresql.existingSecret | default "postgres-passwords" }}
{{- end -}}

{{- define "autoretrain.mlflowUrl" -}}
{{ .Values.mlflow.url | default (printf "http://mlflow.%s:5000" .Release.Namespace) }}
{{- end -}}

{{- /* Where people open the dashboard, for links in alerts; empty where nobody said it. */ -}}
{{- define "autoretrain.dashboardUrl" -}}
{{- with .Values.dashboard -}}
{{- if .url }}{{ .url }}{{ else if and .enabled .ingress.host }}{{ printf "http%s://%s" (ternary "s" "" (ne .ingress.tlsSecretName "")) .ingress.host }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "autoretrain.prometheusUrl" -}}
{{ .Values.prometheus.url | default (printf "http://prometheus.%s:9090" .Release.Namespace) }}
{{- end -}}

{{- /* "yes" where the values or the cluster want a kind of monitoring.coreos.com: (list $ "podMonitor" "PodMonitor"). */ -}}
{{- define "autoretrain.wants" -}}
{{- $root := index . 0 -}}
{{- $wish := (index $root.Values (index . 1)).enabled -}}
{{- if or (eq $wish "always") (and (eq $wish "auto") ($root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" (index . 2)))) }}yes{{ end -}}
{{- end -}}
