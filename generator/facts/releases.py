"""What each Ray release accepts, and the oldest KubeRay: `data/releases/` and `data/kuberay.yaml`, looked up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from generator.errors import UserError
from generator.facts.files import DATA, read_data, version


@dataclass(frozen=True, kw_only=True)
class RayRelease:
    """A Ray version with its vLLM, or with that of an image of one's own. Sources: data/releases/<version>.yaml."""

    ray: str
    vllm: str
    facts: dict[str, Any]
    """The whole row, in the data file's words."""

    @property
    def placement_field(self) -> str:
        return str(self.facts["placementField"])

    def model_deployment(self, name: str) -> str:
        """The deployment that Ray makes of a model, by the name that clients use."""
        rule = self.facts["modelDeployment"]
        for old, new in rule["replace"].items():
            name = name.replace(old, new)
        return f"{rule['prefix']}{name}"

    @property
    def max_surge_percent(self) -> bool:
        return bool(self.facts["maxSurgePercent"])

    @property
    def scaling_policy(self) -> bool:
        """Whether code of one's own may decide how many replicas a deployment has."""
        return bool(self.facts["scalingPolicy"])

    @property
    def external_scaler(self) -> bool:
        """Whether a program outside may, by the REST API."""
        return bool(self.facts["externalScaler"])

    @property
    def throughput_path(self) -> bool:
        return bool(self.facts["throughputPath"])

    @property
    def prefill_decode(self) -> bool:
        """Whether it serves prefill and decode of a model in two deployments, in the form that is written here."""
        return bool(self.facts["prefillDecode"])

    @property
    def data_parallel(self) -> bool:
        """Whether it has data parallel ranks that start and end together."""
        return any(builder["dataParallel"] for builder in self.builders.values())

    @property
    def builders(self) -> dict[str, dict[str, Any]]:
        """Ray's builders of OpenAI applications by name, in the data file's words."""
        builders: dict[str, dict[str, Any]] = self.facts["builders"]
        return builders

    def builder_of(self, import_path: str) -> str | None:
        """The builder that an application's import_path names, `module:name` or `module.name`."""
        module, _, name = import_path.replace(":", ".").rpartition(".")
        return name if module in self.builders.get(name, {}).get("modules", ()) else None

    @property
    def token_auth(self) -> bool:
        """Whether its own API can ask for a token."""
        return bool(self.facts["tokenAuth"])

    @property
    def pod_timeout_s(self) -> int | None:
        """After how long a worker pod that did not come up makes the autoscaler try another group. None: never."""
        seconds: int | None = self.facts["podTimeoutSeconds"]
        return seconds

    @property
    def request_routers(self) -> dict[str, str]:
        """By the word for it, the class that chooses a request's replica."""
        return dict(self.facts["requestRouters"])

    @property
    def path_of_routers(self) -> dict[str, str]:
        """By the word of a router that works on one path alone, that path."""
        return dict(self.facts["pathOfRouters"])

    @property
    def bucket_schemes(self) -> list[str]:
        """With what the address of a bucket begins that it reads adapters from."""
        return list(self.facts["bucketSchemes"])

    @property
    def gpu_memory_utilization(self) -> float:
        return float(releases()[vllm_versions()[self.vllm]].facts["gpuMemoryUtilization"])

    @property
    def has_own_vllm(self) -> bool:
        """Whether it is with the vLLM of its own image."""
        return self.vllm == str(self.facts["vllm"])

    @property
    def frontend_arguments(self) -> dict[str, list[str]]:
        """`app`: arguments, and `variables`, that only vLLM's own FastAPI reads; `server`: what Ray never reads."""
        names: dict[str, list[str]] = read_data(f"releases/{self.ray}.arguments.json")["frontendArguments"]
        return names

    @property
    def ports(self) -> list[tuple[int, int]]:
        """First and last of the ports that Ray itself takes on a pod, whatever is served there."""
        return [(row["first"], row["last"]) for row in self.facts["ports"]]

    def arguments(self) -> dict[str, Any]:
        """The JSON Schema definitions of what this release accepts, extracted from its wheels."""
        definitions: dict[str, Any] = self._extracted()["definitions"]
        return definitions

    def engine_arguments(self) -> dict[str, Any]:
        """The JSON Schemas of the arguments that its vLLM's engine takes, by name."""
        arguments: dict[str, Any] = releases()[vllm_versions()[self.vllm]].arguments()["EngineArguments"]["properties"]
        return arguments

    def left_out(self) -> dict[str, dict[str, str]]:
        """By definition and key, why a key that Ray has is none of ours."""
        left_out: dict[str, dict[str, str]] = self._extracted()["generated"]["leftOut"]
        return left_out

    def _extracted(self) -> dict[str, Any]:
        extracted: dict[str, Any] = read_data(f"releases/{self.ray}.arguments.json")
        return extracted


@cache
def releases() -> dict[str, RayRelease]:
    """Every known Ray release by version, oldest first."""
    rows = [read_data(f"releases/{path.name}") for path in (DATA / "releases").glob("*.yaml")]
    rows.sort(key=lambda row: version(row["ray"]))
    return {row["ray"]: RayRelease(ray=row["ray"], vllm=row["vllm"], facts=row) for row in rows}


def newest() -> RayRelease:
    """The one that is taken where nobody says which."""
    return list(releases().values())[-1]


@cache
def vllm_versions() -> dict[str, str]:
    """Every vLLM of which it is known what its engine accepts, with the Ray release beside whose facts that lies."""
    return {one.vllm: one.ray for one in releases().values()}


def release(ray: str, *, vllm: str | None = None, where: str) -> RayRelease:
    """The release, with its own vLLM or with `vllm`. Raises UserError for one that is not known, of either."""
    if ray not in releases():
        raise UserError.unknown("Ray release", ray, releases(), where=where)
    if vllm is None:
        return releases()[ray]
    if vllm not in vllm_versions():
        raise UserError(
            f"what the engine of vLLM {vllm} accepts is not known here",
            where=where,
            fix=f"Known: {', '.join(vllm_versions())}. Take an image with one of them; a later version of this "
            "program may know more.",
        )
    return replace(releases()[ray], vllm=vllm)


@dataclass(frozen=True, kw_only=True)
class KubeRayField:
    since: str
    """The first KubeRay that knows the field."""
    instead: str
    """What to do with an older one."""


@dataclass(frozen=True, kw_only=True)
class KubeRay:
    oldest: str
    """The oldest version that the chart is made for."""
    fields: dict[str, KubeRayField]
    """By path in a RayService, what not every version knows."""
    autoscaler: dict[str, str]
    """What the autoscaler beside the head asks for by default."""
    incremental_upgrade_gate: str
    """Without which an update in steps is none at all."""


@cache
def kuberay() -> KubeRay:
    row = read_data("kuberay.yaml")
    fields = {path: KubeRayField(**field) for path, field in row["fields"].items()}
    return KubeRay(
        oldest=row["least"],
        fields=fields,
        autoscaler=row["autoscaler"],
        incremental_upgrade_gate=row["incrementalUpgradeGate"],
    )
