"""Whether the image of each pool's pods can run there: its Ray, its GPUs, its processor."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from generator.documents.merge import JsonObject
from generator.errors import UserError
from generator.facts.accelerators import other_gpus
from generator.facts.files import row_of
from generator.facts.releases import RayRelease
from generator.formats.environment import Environment
from generator.plan.plans import PlanWarning
from generator.plan.pools import NodePool
from generator.plan.requirements import at


def image_of(*settings: JsonObject | None) -> dict[str, str]:
    """Repository, tag and digest of the settings of an image, the widest first, as far as they say them.

    As the chart merges them: a repository has no tag or digest of another, a tag takes the place of a digest.
    """
    image: dict[str, str] = {}
    for narrower in settings:
        said = {key: str(value) for key, value in (narrower or {}).items() if value}
        hidden = {"tag", "digest"} if "repository" in said else {"digest"} if "tag" in said else set()
        image = {key: value for key, value in image.items() if key not in hidden} | said
    return image


def image_faults(
    environment: Environment, pools: Mapping[str, NodePool], release: RayRelease, *, where: str
) -> Iterator[UserError]:
    """Pools whose pods would get Ray's own image and cannot run it, and a tag of that which has another Ray."""
    of_all = [at(environment.chart, "image"), at(environment.chart, "pods.image")]
    tag = image_of(*of_all).get("tag", "")
    if tag and _is_official(image_of(*of_all), release) and not re.match(rf"{re.escape(release.ray)}([.-]|$)", tag):
        yield UserError(
            f"{release.facts['image']['repository']}:{tag} is not known to have Ray {release.ray}",
            where=f"{where}: chart.image.tag",
            fix=f"Take it out for {release.facts['image']['tag']}, or set `ray` to the image's.",
        )
    for pool in pools.values():
        image = image_of(*of_all, pool.pool.workerGroup.get("image"))
        if pool.gpu and _is_official(image, release):
            yield from _pool_faults(pool, image, release, where=f"{where}: pools.{pool.name}")


def _pool_faults(pool: NodePool, image: dict[str, str], release: RayRelease, *, where: str) -> Iterator[UserError]:
    assert pool.gpu
    official = release.facts["image"]
    device = pool.pool.workerGroup.get("gpuResourceName", pool.gpu.resource_name)
    say = "in `workerGroup: {image: …}` of the pool, or for all pods in `chart: {image: …}`."
    if other := row_of(other_gpus(), str(device)):
        yield UserError(
            f"{official['repository']} is for NVIDIA's GPUs, and {pool.label} is {device}",
            where=where,
            fix=f"Name an image of your own with Ray {release.ray}, vLLM and {other.needs} {say}",
        )
    elif pool.gpu.arm64 and not image.get("tag", "").endswith("-aarch64"):
        yield UserError(
            f"{official['repository']} is for {official['architecture']}, and hosts of {pool.label} are arm64",
            where=where,
            fix=f"Name an image of your own for arm64 {say}",
        )


def image_warnings(name: str, environment: Environment, release: RayRelease) -> Iterator[PlanWarning]:
    """Of an image by whose name it may have another vLLM or Ray than what is planned for."""
    of_all = [at(environment.chart, "image"), at(environment.chart, "pods.image")]
    of_pools = [pool.workerGroup.get("image") for pool in environment.pools.values()]
    if not release.has_own_vllm and not any(of_all) and not all(of_pools):
        text = (
            f"vLLM {release.vllm} is planned for, and the image is Ray {release.ray}'s own, which has "
            f"{release.facts['vllm']}; name yours in `chart: {{image: …}}`"
        )
        yield PlanWarning(kind="environment", subject=name, text=text)
    image = image_of(*of_all)
    other = re.match(r"\d+\.\d+\.\d+", image.get("tag", ""))
    if other and other[0] != release.ray and not _is_official(image, release):
        text = f"image tag {image['tag']} begins with another number than Ray {release.ray}, which is planned for"
        yield PlanWarning(kind="environment", subject=name, text=text)


def _is_official(image: Mapping[str, str], release: RayRelease) -> bool:
    repository = str(release.facts["image"]["repository"])
    return image.get("repository", repository).removeprefix("docker.io/") == repository
