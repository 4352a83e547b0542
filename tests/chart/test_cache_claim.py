"""modelCache.create: a claim for models that the chart makes, before prefetch needs it, and that nobody takes away."""

from __future__ import annotations

from collections.abc import Callable

from tests.chart.rendering import GROUP, Manifest, Render, Rendered

CACHE = {"type": "persistentVolumeClaim", "create": {"size": "200Gi"}}
NAME = "falcon3-model-cache"


def claims(objects: list[Manifest]) -> list[Manifest]:
    return [each for each in objects if each["kind"] == "PersistentVolumeClaim"]


def cache_of(rendered: Rendered) -> Manifest:
    return rendered.volumes(GROUP)["model-cache"]["persistentVolumeClaim"]


def test_it_is_an_object_of_the_release_that_stays_when_the_release_goes(render_with: Render) -> None:
    named = {"size": "1Ti", "storageClassName": "nfs", "accessModes": ["ReadWriteOnce"]}
    rendered = render_with({"modelCache": CACHE | {"create": named}})
    (claim,) = claims(rendered.objects)
    assert claims(rendered.hooks) == []
    assert claim["metadata"]["name"] == NAME
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "nfs",
        "resources": {"requests": {"storage": "1Ti"}},
    }
    assert cache_of(rendered) == {"claimName": NAME}


def test_with_prefetch_it_is_there_before_the_download_and_no_upgrade_deletes_it(render_with: Render) -> None:
    rendered = render_with({"modelCache": CACHE | {"prefetch": True}})
    (claim,) = claims(rendered.hooks)
    assert claims(rendered.objects) == [], "Helm refuses what a hook has made already"
    annotations = claim["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert annotations["helm.sh/hook-delete-policy"] == "hook-failed", "with none Helm deletes it before each upgrade"
    assert annotations["helm.sh/resource-policy"] == "keep"
    whose = {"release-name": "falcon3", "release-namespace": "ai"}
    assert {key.removeprefix("meta.helm.sh/"): annotations[key] for key in annotations if "meta" in key} == whose
    assert claim["spec"] == {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "200Gi"}}}
    (job,) = (each for each in rendered.hooks if each["kind"] == "Job")
    assert claim["metadata"]["name"] < job["metadata"]["name"], "Helm runs hooks of one weight by name"
    volumes = {each["name"]: each for each in job["spec"]["template"]["spec"]["volumes"]}
    assert volumes["model-cache"]["persistentVolumeClaim"] == {"claimName": NAME} == cache_of(rendered)


def test_a_claim_is_made_or_named(render_error: Callable[..., str]) -> None:
    message = render_error({"modelCache": CACHE | {"claimName": "models"}})
    assert (
        "- modelCache.create: claimName names a claim that is there. Remove it for one that the chart makes" in message
    )
    message = render_error({"modelCache": CACHE | {"type": "emptyDir"}})
    assert "- modelCache.create: it makes a persistentVolumeClaim, and modelCache.type is emptyDir" in message
