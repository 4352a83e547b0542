"""From others' manifests to a catalog, an environment and its values. Nothing is written here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from generator.documents.files import read_text
from generator.documents.merge import JsonObject, merged
from generator.errors import UserError, cut, faults, printable
from generator.facts.gpus import gpu as gpu_of
from generator.facts.releases import RayRelease, newest, release, releases
from generator.formats.access import is_open
from generator.formats.catalog import Catalog
from generator.formats.fields import DnsLabel, EnvironmentName
from generator.formats.names import check_name
from generator.formats.read import read_environment
from generator.migrate.entries import Entry, entry_of
from generator.migrate.environment import environment_of, environment_text, settle_gpus, settle_pools
from generator.migrate.forms import read_forms
from generator.migrate.found import Findings, FoundModel
from generator.migrate.manifests import read_manifests, source_name
from generator.plan.plan import make_plan
from generator.progress import Report
from generator.project.catalog_edit import add_to_catalog, new_catalog
from generator.project.project import Generated, Project


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What `import` would write, and its report."""

    environment: str
    path: Path
    """Of the environment."""
    generated: Generated
    findings: Findings
    models: tuple[str, ...]
    """Ids of the models that are taken."""
    refused: list[str] = field(default_factory=list)
    """Why the environment cannot be planned as it is; then its values are not generated."""


def import_manifests(
    project: Project,
    references: Sequence[str],
    *,
    environment: str,
    gpus: Sequence[str] = (),
    namespace: str | None = None,
    ray: str | None = None,
    replace: bool = False,
    report: Report,
) -> Imported:
    """Read the manifests and say what they mean here.

    `gpus` are `TYPE`, for pools of which nothing says it, and `POOL=TYPE`. Raises UserError where nothing could be
    taken, a pool's GPUs are not known, or something of that name is there already and `replace` is not said.
    """
    path = _path_of(project, environment, replace=replace)
    check_name(namespace, DnsLabel, "--namespace")
    chosen = _chosen_gpus(gpus)
    findings = Findings()
    manifests = read_manifests(references)
    read_forms(manifests, findings)
    _require_pools(findings, references)
    if unknown := [name for name in chosen if name and name not in findings.pools]:
        raise UserError.unknown("pool", unknown[0], findings.pools, where="--gpu")
    settle_gpus(findings, chosen)
    settle_pools(findings)
    catalog = project.catalog(may_be_empty=True)
    models = _models(findings, catalog, replace=replace, report=report)
    if not models and not findings.apps:
        raise _nothing("nothing in them could be taken", findings, references)
    texts = _catalog_texts(project, catalog, models, replace=replace)
    served = _release(findings, ray)
    _keep_closed(findings, served)
    _tell_path(findings, served)
    data = environment_of(findings, models, namespace=namespace or _namespace(findings), ray=served)
    names = (source_name(reference) for reference in references)
    text = environment_text(data, ", ".join(printable(Path(name).name) for name in names))
    parts = [Generated(texts={**texts, path: text})]
    changed = project.catalog(texts, may_be_empty=True)
    refused: list[str] = []
    target = read_environment(path, text=text)
    report(f"planning {environment}")
    try:
        parts.append(project.values(make_plan(environment, target, changed, where=str(path)), changed))
    except UserError as error:
        refused = [str(each) for each in faults(error)]
    parts += _others(project, {entry.family for _, entry in models}, changed, besides=environment)
    return Imported(
        environment=environment,
        path=path,
        generated=Generated.merged(parts),
        findings=findings,
        models=tuple(entry.model_id for _, entry in models),
        refused=refused,
    )


def _path_of(project: Project, environment: str, *, replace: bool) -> Path:
    check_name(environment, EnvironmentName, "--environment")
    path = project.environment_path(environment)
    if path.exists() and not replace:
        fix = "Give another --environment, or put this one in its place with --replace."
        raise UserError("this environment is there already", where=str(path), fix=fix)
    return path


def _require_pools(findings: Findings, references: Sequence[str]) -> None:
    if findings.models and not findings.pools:
        raise _nothing("no workers in them could be taken, so there is nothing to serve on", findings, references)


def _nothing(what: str, findings: Findings, references: Sequence[str]) -> UserError:
    why = [f"{line.where}: {line.what} ({line.why})" for line in findings.left_out]
    whole = "Give a RayService with its workerGroupSpecs, Models of KubeAI, or values of production-stack."
    fix = "\n  ".join(why[:10]) or whole
    return UserError(what, where=cut(", ".join(references), 200), fix=fix)


def _chosen_gpus(gpus: Sequence[str]) -> dict[str, str]:
    """GPU types by pool, and below "" the one for all others."""
    chosen: dict[str, str] = {}
    for each in gpus:
        pool, _, name = each.rpartition("=")
        chosen[pool] = gpu_of(name, where="--gpu").name
    return chosen


def _models(findings: Findings, catalog: Catalog, *, replace: bool, report: Report) -> list[tuple[FoundModel, Entry]]:
    """Every model with its entry, each id once."""
    models: dict[str, tuple[FoundModel, Entry]] = {}
    for model in findings.models:
        entry = entry_of(model, catalog, findings, replace=replace, report=report)
        if entry and entry.model_id in models:
            why = "an id is there once in a release: import the manifests of each environment by themselves"
            findings.leave_out_model(entry.model_id, model.where, f"a second {entry.model_id}", why)
        elif entry:
            models[entry.model_id] = (model, entry)
    return list(models.values())


def _catalog_texts(
    project: Project, catalog: Catalog, models: list[tuple[FoundModel, Entry]], *, replace: bool
) -> dict[Path, str]:
    added: dict[str, dict[str, JsonObject]] = {}
    for _, entry in models:
        if entry.entry is not None:
            added.setdefault(entry.family, {})[entry.model_id] = entry.entry
    texts: dict[Path, str] = {}
    for family, entries in added.items():
        path = catalog.files.get(family, project.root / "catalog" / f"{family}.yaml")
        if family in catalog.files:
            text = read_text(path)
            for model_id, model in entries.items():
                text = add_to_catalog(text, family=family, model_id=model_id, model=model, replace=replace)
        elif path.exists():
            raise UserError(f"is there and is not family '{family}'", where=str(path), fix="Rename the file.")
        else:
            text = new_catalog(family, entries)
        texts[path] = text
    return texts


def _release(findings: Findings, ray: str | None) -> RayRelease:
    """The release that is asked for, else the one that the manifests name, where it is known; else the newest."""
    known = [version for version in findings.rays if version in releases()]
    chosen = releases()[known[0]] if known else newest()
    chosen = release(ray, where="--ray") if ray else chosen
    for version in findings.rays:
        if version != chosen.ray:
            why = f"{', '.join(releases())} are known here, and --ray chooses one"
            findings.change(f"Ray {cut(version)}", f"Ray {chosen.ray} with vLLM {chosen.vllm}", why)
    if findings.chart.get("image") and findings.rays and chosen.ray not in findings.rays:
        findings.change(
            "image", "it has another Ray", f"build it on Ray {chosen.ray}, or take `chart: {{image: …}}` out"
        )
    if not findings.rays and not ray:
        findings.change("Ray", f"Ray {chosen.ray} with vLLM {chosen.vllm}", "the manifests name none")
    return chosen


def _namespace(findings: Findings) -> str:
    chosen = next(iter(findings.namespaces), "default")
    if len(findings.namespaces) != 1:
        why = "the manifests name several" if findings.namespaces else "the manifests name none"
        findings.change("namespace", chosen, f"{why}, and --namespace chooses")
    return chosen


def _keep_closed(findings: Findings, served: RayRelease) -> None:
    """A Ray without a token for its own API is behind a NetworkPolicy, unless people say otherwise."""
    if is_open(findings.chart, served):
        policy = {"networkPolicy": {"enabled": True, "operatorNamespace": "kuberay-system"}}
        findings.chart = merged(findings.chart, policy)
        why = f"Ray {served.ray} asks for no token: only the release's pods and the operator reach its own ports"
        findings.change("NetworkPolicy", "networkPolicy.enabled, with the operator in kuberay-system", why)


def _tell_path(findings: Findings, served: RayRelease) -> None:
    """The generator takes the throughput path where nothing asks for the other (`values.py`)."""
    serving = findings.chart.get("serving", {})
    if findings.models and served.throughput_path and not serving.keys() & {"ingress", "routing"}:
        why = "`chart: {serving: {path: standard}}` has Ray's ingress on CPU pods instead"
        findings.change("requests", "they go through HAProxy straight to the engines", why)


def _others(project: Project, families: set[str], catalog: Catalog, *, besides: str) -> list[Generated]:
    """The values of other environments that serve a family to which models were added."""
    parts = []
    for name in project.environment_names(may_be_none=True):
        if name != besides and families & project.environment(name).serve.keys():
            parts.append(project.values(project.plan(name, catalog), catalog))
    return parts
