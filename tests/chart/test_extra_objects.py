"""`extraObjects`: manifests of people's own, in the release and with its labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from generator.documents.load import Origin, dump_yaml
from generator.errors import UserErrors
from generator.formats.check import check_document
from tests.chart.rendering import GROUP, Render

RULE = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "PrometheusRule",
    "metadata": {
        "labels": {"team": "a", "app.kubernetes.io/name": "rules", "app.kubernetes.io/instance": "another"},
        "annotations": {"of": "{{ .Chart.Name }}"},
    },
    "spec": {
        "groups": [{"name": "{{ .Release.Name }}", "rules": [{"expr": "up{job=\"{{ .Release.Namespace }}: 'a'\"}"}]}]
    },
}
NAMED = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "{{ .Release.Name }}-agent"},
    "data": {"a": "b: c"},
}


def test_they_are_of_the_release_and_their_texts_may_be_templates(render_with: Render) -> None:
    rendered = render_with(
        {
            "extraObjects": {"alerts": RULE, "agent": NAMED},
            "commonLabels": {"cost": "x"},
            "commonAnnotations": {"note": "y"},
        }
    )
    rule = rendered.one("PrometheusRule")
    assert rule["metadata"] == {
        "name": "alerts",
        "namespace": "ai",
        "labels": rendered.one("RayService")["metadata"]["labels"] | {"team": "a", "app.kubernetes.io/name": "rules"},
        "annotations": {"of": "ray-serve-llm", "note": "y"},
    }
    assert rule["metadata"]["labels"]["app.kubernetes.io/instance"] == "falcon3", "by it the release's own are found"
    assert rule["metadata"]["labels"]["cost"] == "x"
    assert rule["spec"] == {"groups": [{"name": "falcon3", "rules": [{"expr": "up{job=\"ai: 'a'\"}"}]}]}
    assert rendered.named("ConfigMap", "falcon3-agent")["data"] == {"a": "b: c"}


def test_what_is_not_of_the_release_or_is_there_already(render_error: Callable[..., str]) -> None:
    def config_map(**metadata: str) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}

    message = render_error(
        {
            "extraObjects": {
                "elsewhere": config_map(namespace="{{ .Release.Namespace }}-other"),
                "family": config_map(name="falcon3-family-config"),
                "first": config_map(name="one"),
                "service": {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "metadata": {"name": "{{ .Release.Name }}-serve-svc"},
                },
                "second": config_map(name="one"),
                "images": {
                    "apiVersion": "apps/v1",
                    "kind": "DaemonSet",
                    "metadata": {"name": f"falcon3-image-{GROUP}"},
                },
            }
        }
    )
    assert "- extraObjects.elsewhere.metadata.namespace: it is ai-other, and the release is in ai" in message
    assert "- extraObjects.family: the release has a ConfigMap falcon3-family-config of its own" in message
    assert "- extraObjects.service: the release has a Service falcon3-serve-svc of its own" in message
    assert f"- extraObjects.images: the release has a DaemonSet falcon3-image-{GROUP} of its own" in message
    assert "- extraObjects.second: extraObjects.first is a ConfigMap one too" in message


REFUSED = [
    (
        {"apiVersion": "v1", "kind": "Secret", "stringData": {"note": "hello"}},
        "so the texts of a Secret stand in neither",
    ),
    ({"apiVersion": "v1", "kind": "Secret", "data": {"note": "aGVsbG8="}}, "so the texts of a Secret stand in neither"),
    ({"apiVersion": "ray.io/v1", "kind": "RayService", "spec": {}}, "a release has one RayService"),
    ({"apiVersion": "ray.io/v1", "kind": "RayCluster", "spec": {}}, "a release has the one cluster of its RayService"),
    (
        {"apiVersion": "ray.io/v1", "kind": "RayJob", "spec": {"rayClusterSpec": {"a": 1}}},
        "it makes a cluster of its own",
    ),
]
TAKEN = [
    {"apiVersion": "ray.io/v1", "kind": "RayJob", "spec": {"clusterSelector": {"ray.io/cluster": "x"}}},
    {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "spec": {
            "target": {"name": "hub"},
            "data": [{"secretKey": "hf-token", "remoteRef": {"key": "llm/hub", "property": "hf-token"}}],
        },
    },
    {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "spec": {"encryptedData": {"hf-token": "AgBy3i4OJSWK+PiTySYZZA9rO43cGDEq"}},
    },
    {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": {"resources": {"requests": {"storage": "1Gi"}}}},
    {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": {"tolerations": [{"value": "x"}]}}}},
]


def test_kinds_that_no_release_takes(render_error: Callable[..., str], render_with: Render) -> None:
    objects = {f"o{number}": manifest for number, (manifest, _) in enumerate(REFUSED)}
    message = render_error({"extraObjects": objects})
    for number, (_, words) in enumerate(REFUSED):
        assert f"- extraObjects.o{number}: " in message and words in message
    render_with({"extraObjects": {f"o{number}": manifest for number, manifest in enumerate(TAKEN)}})


@pytest.mark.parametrize(("manifest", "words"), REFUSED)
def test_the_same_is_told_of_a_file(manifest: dict[str, Any], words: str) -> None:
    for data, kind in (
        ({"extraObjects": {"mine": manifest}}, "values"),
        (
            {"namespace": "ai", "ray": "2.60.0", "pools": {"a": {"nodes": 1}}, "serve": {}}
            | {"chart": {"extraObjects": {"mine": manifest}}},
            "environment",
        ),
    ):
        with pytest.raises(UserErrors) as raised:
            check_document(data, kind, Origin("file.yaml", dump_yaml(data)))
        assert words in str(raised.value)


def test_a_file_may_have_the_others() -> None:
    check_document(
        {"extraObjects": {f"o{n}": manifest for n, manifest in enumerate(TAKEN)}}, "values", Origin("f.yaml")
    )


def test_the_text_of_a_secret_is_told_before_anything_else(render_error: Callable[..., str]) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"api_key": "kf83hf-93hfks-93hd"}}
    message = render_error({"extraObjects": {"mine": manifest}})
    assert "- extraObjects.mine.data.api_key: it has the text of a secret, going by its name" in message
    assert "Make the Secret apart (kubectl create secret" in message


def test_a_token_is_one_also_where_a_reference_is_meant(render_error: Callable[..., str]) -> None:
    manifest = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "spec": {"data": [{"secretKey": "hf_abcdefghijklmnopqrstuvwxyz0123456789"}]},
    }
    message = render_error({"extraObjects": {"mine": manifest}})
    assert "- extraObjects.mine.spec.data.0.secretKey: it is or holds a token of the Hugging Face hub" in message
