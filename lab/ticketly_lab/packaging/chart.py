"""The Helm chart: the objects of an installation with Helm's expressions where values may change them.

The objects' names do not depend on the release: a second operator for the same platforms would be a fault, and so Helm
refuses it. The namespace is not among them: Helm stores the release there before it makes anything.

The definition of the kind is a template that `helm uninstall` keeps, not a file in `crds/`, which Helm would never
upgrade: with an old definition the API server drops the fields that a new operator relies on.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ticketly_lab.packaging import values
from ticketly_lab.packaging.documents import document, documents
from ticketly_operator.desired.installation import NAME, SETTINGS_PREFIX, VERSION, Installation, manifests
from ticketly_operator.desired.model import Manifest

_NAMESPACE = "helm-release-namespace"
_WATCHED = "helm-watched-namespace"
_HEAD = "{{- /* Written by python -m ticketly_lab.packaging from the installation; this file is not the source. */}}\n"

_EXPRESSIONS = {
    _NAMESPACE: "{{ .Release.Namespace }}",
    _WATCHED: "{{ .Values.watchNamespace }}",
    "HELM-IMAGE": (
        "{{ .Values.image.repository }}"
        "{{ if .Values.image.digest }}@{{ .Values.image.digest }}"
        "{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}"
    ),
    "HELM-PULL-POLICY": "{{ .Values.image.pullPolicy }}",
    "HELM-REPLICAS": "{{ .Values.replicas }}",
    "HELM-LOG-LEVEL": "{{ .Values.logLevel | quote }}",
    "HELM-SCOPE": "{{ .Values.watchNamespace | quote }}",
    "HELM-RESOURCES": "{{- toYaml .Values.resources | nindent 12 }}",
    "HELM-PULL-SECRETS": "{{- toYaml .Values.imagePullSecrets | nindent 8 }}",
    "HELM-NODE-SELECTOR": "{{- toYaml .Values.nodeSelector | nindent 8 }}",
    "HELM-TOLERATIONS": "{{- toYaml .Values.tolerations | nindent 8 }}",
}
"""What stands in the YAML for what Helm puts there."""

_ITEMS = {
    "HELM-SETTINGS": (
        "{{- range $name, $value := .Values.settings }}",
        "- name: {{ $name }}",
        "  value: {{ $value | quote }}",
        "{{- end }}",
    ),
    "HELM-PORTS": (
        "{{- range .Values.networkPolicy.egressPorts }}",
        "- port: {{ . }}",
        "  protocol: TCP",
        "{{- end }}",
    ),
}
"""The same for an item of a list that becomes any number of items."""


def files(definition: Mapping[str, Any]) -> dict[str, str]:
    """Every file of the chart by its path in it; `definition` is the CustomResourceDefinition."""
    everywhere = _by_kind(Installation(namespace=_NAMESPACE, monitoring=True))
    in_one = _by_kind(Installation(namespace=_NAMESPACE, watch_namespace=_WATCHED))
    access = [*in_one["Role"], *in_one["RoleBinding"]]
    watched = [each for each in access if each["metadata"]["namespace"] == _WATCHED]
    own = [each for each in access if each["metadata"]["namespace"] != _WATCHED]
    return {
        "Chart.yaml": document(_METADATA),
        "values.yaml": values.yaml_text(),
        "values.schema.json": json.dumps(values.schema(), indent=2) + "\n",
        "README.md": _README + values.table(),
        "templates/NOTES.txt": _NOTES,
        "templates/customresourcedefinition.yaml": _only_if(".Values.crds.install", _definition(definition)),
        "templates/serviceaccount.yaml": _HEAD + _text(everywhere["ServiceAccount"]),
        "templates/access.yaml": _only_if(
            ".Values.watchNamespace",
            _text(watched),
            _text([*everywhere["ClusterRole"], *everywhere["ClusterRoleBinding"]]),
        ),
        "templates/lease.yaml": _HEAD + _text(own),
        "templates/service.yaml": _HEAD + _text(everywhere["Service"]),
        "templates/networkpolicy.yaml": _only_if(
            ".Values.networkPolicy.enabled", _text(map(_policy, everywhere["NetworkPolicy"]))
        ),
        "templates/poddisruptionbudget.yaml": _only_if(
            "gt (int .Values.replicas) 1", _text(everywhere["PodDisruptionBudget"])
        ),
        "templates/monitoring.yaml": _only_if(
            ".Values.monitoring.enabled",
            _text([*everywhere["ServiceMonitor"], *everywhere["PrometheusRule"]]),
        ),
        "templates/deployment.yaml": _HEAD + _text(map(_deployment, everywhere["Deployment"])),
    }


def _by_kind(installation: Installation) -> dict[str, list[Manifest]]:
    found: dict[str, list[Manifest]] = {}
    for each in manifests(installation):
        found.setdefault(each["kind"], []).append(each)
    return found


def _only_if(condition: str, text: str, otherwise: str = "") -> str:
    second = f"{{{{- else }}}}\n{otherwise}" if otherwise else ""
    return f"{_HEAD}{{{{- if {condition} }}}}\n{text}{second}{{{{- end }}}}\n"


def _text(objects: Iterable[Manifest]) -> str:
    """YAML with Helm's words in the places kept for them."""
    lines = []
    for line in _literal(documents(objects)).splitlines():
        before, found, mark = line.partition("- HELM-")
        if found and not before.strip():
            # a directive takes the line end before it along and needs no indentation
            put_in = _ITEMS[f"HELM-{mark}"]
            lines += [each if each.startswith("{{-") else before + each for each in put_in]
        else:
            lines.append(line)
    text = "\n".join(lines) + "\n"
    for mark, expression in _EXPRESSIONS.items():
        text = text.replace(mark, expression)
    return text


def _policy(each: Manifest) -> Manifest:
    made = copy.deepcopy(each)
    made["spec"]["egress"][-1]["ports"] = ["HELM-PORTS"]
    return made


def _deployment(each: Manifest) -> Manifest:
    made = copy.deepcopy(each)
    made["spec"]["replicas"] = "HELM-REPLICAS"
    pod = made["spec"]["template"]["spec"]
    pod["imagePullSecrets"] = "HELM-PULL-SECRETS"
    pod["nodeSelector"] = "HELM-NODE-SELECTOR"
    pod["tolerations"] = "HELM-TOLERATIONS"
    (container,) = pod["containers"]
    container["image"] = "HELM-IMAGE"
    container["imagePullPolicy"] = "HELM-PULL-POLICY"
    container["resources"] = "HELM-RESOURCES"
    for variable in container["env"]:
        mark = {f"{SETTINGS_PREFIX}LOG_LEVEL": "HELM-LOG-LEVEL", f"{SETTINGS_PREFIX}SCOPE_NAMESPACE": "HELM-SCOPE"}
        if variable["name"] in mark:
            variable["value"] = mark[variable["name"]]
    container["env"].append("HELM-SETTINGS")
    return made


def _definition(definition: Mapping[str, Any]) -> str:
    made = copy.deepcopy(dict(definition))
    made["metadata"].setdefault("annotations", {})["helm.sh/resource-policy"] = "keep"
    return _literal(document(made))


def _literal(text: str) -> str:
    """The same after Helm read it: descriptions of fields and of alerts have templates of their own."""
    return text.replace("{{", '{{ "{{" }}')


_METADATA = {
    "apiVersion": "v2",
    "name": NAME,
    "description": "Runs Ticketly platforms described by TicketlyPlatform resources",
    "type": "application",
    "version": VERSION,
    "appVersion": VERSION,
    "kubeVersion": ">=1.30.0-0",
    "keywords": ["ticketing", "operator", "kafka", "debezium"],
}

_NOTES = """\
The operator runs in namespace {{ .Release.Namespace }} and looks after platforms in
{{- if .Values.watchNamespace }} namespace {{ .Values.watchNamespace }}.{{ else }} all namespaces.{{ end }}

Is it up?
  kubectl -n {{ .Release.Namespace }} rollout status deployment/ticketly-operator

The namespace should refuse pods that could reach their node:
  kubectl label namespace {{ .Release.Namespace }} pod-security.kubernetes.io/enforce=restricted

Next: apply a TicketlyPlatform.
  kubectl explain ticketlyplatform.spec
"""

_README = f"""\
# Helm chart {NAME}

Installs the operator: `helm install {NAME} operator/chart --namespace ticketly-system --create-namespace`.
How to build its image, to upgrade and to uninstall: `docs/install.md`.

The chart is written by `python -m ticketly_lab.packaging`, from the same source as the plain YAML in
`operator/install/` and `ticketly install`. A release's name changes nothing but the release: the objects are
always called `{NAME}`, and a second release in the same cluster that would look after the same platforms is refused.

## Values

"""
