"""The folders of a project, and what is generated in them. The only module that knows the layout."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from generator.documents.files import read_text, text_or_none
from generator.documents.load import Origin, dump_yaml, read_yaml
from generator.documents.merge import JsonObject
from generator.errors import UserError
from generator.facts.accelerators import not_gpus, other_gpus
from generator.facts.disaggregation import disaggregation
from generator.facts.files import read_data
from generator.facts.llm_config_rules import llm_config_defaults, llm_config_rules
from generator.facts.orders import orders
from generator.facts.other_engines import other_engines
from generator.facts.pod_security import pod_security
from generator.facts.questions import questions
from generator.facts.refused import (
    Refused,
    network_policy_rules,
    ray_start_flags,
    refused_arguments,
    refused_objects,
    refused_variables,
    reserved_keys,
)
from generator.facts.releases import RayRelease, releases
from generator.formats.catalog import Catalog
from generator.formats.check import check_document
from generator.formats.environment import Environment
from generator.formats.json_schema import (
    chart_schema,
    editor_schemas,
    output_schemas,
    schema_text,
)
from generator.formats.ray_bounds import bounds_of
from generator.formats.read import is_base, read_catalog, read_environment
from generator.formats.secrets import NOT_SECRETS, refuse_secrets_in_code
from generator.plan.plan import Plan, make_plan
from generator.program import program
from generator.progress import Report, silent
from generator.project.root import root_around
from generator.redaction import for_chart
from generator.values import app_values, below, family_values, has_header, header


@dataclass(frozen=True, kw_only=True)
class Generated:
    """Texts by path, and files of earlier runs that nothing generates any more."""

    texts: dict[Path, str] = field(default_factory=dict)
    stale: list[Path] = field(default_factory=list)

    @classmethod
    def merged(cls, parts: Iterable[Generated]) -> Generated:
        """All of it together, in the order given."""
        parts = list(parts)
        return cls(
            texts={path: text for part in parts for path, text in part.texts.items()},
            stale=[path for part in parts for path in part.stale],
        )

    def changed(self) -> dict[Path, str]:
        """The texts that differ from what lies there."""
        return {path: text for path, text in self.texts.items() if text_or_none(path) != text}


@dataclass(frozen=True, kw_only=True)
class Project:
    """`root` holds catalog/, environments/, values/, schemas/ and chart/."""

    root: Path

    @classmethod
    def around(cls, folder: Path) -> Project:
        """The project that a folder is, or lies in."""
        root = root_around(folder)
        return cls.at(folder) if root is None else cls(root=root)

    @classmethod
    def at(cls, root: Path) -> Project:
        for folder in ("catalog", "environments"):
            try:
                exists = (root / folder).is_dir()
            except OSError as error:
                raise UserError(
                    f"cannot be read: {error.strerror}",
                    where=str(root),
                    fix="Name the project's folder with --root, and check that it can be read.",
                ) from None
            if not exists:
                raise UserError(
                    f"no folder '{folder}' here",
                    where=str(root),
                    fix="Run it in the project or in a folder of it, or name that with --root; `init` begins one.",
                )
        return cls(root=root)

    def catalog(self, changed: Mapping[Path, str] | None = None, *, may_be_empty: bool = False) -> Catalog:
        """The catalog; `changed` are texts that stand in for files, before they are written."""
        texts = {path: read_text(path) for path in _yaml_files(self.root / "catalog")}
        catalog = read_catalog(texts | dict(changed or {}))
        if not catalog.families and not may_be_empty:
            raise UserError(
                "no catalog file (*.yaml)",
                where=str(self.root / "catalog"),
                fix=f"Add a model: {program()} add <name of the library | hub id | folder | config.json>",
            )
        return catalog

    def environment_names(self, *, may_be_none: bool = False) -> list[str]:
        """Every environment's name, in order. None at all is a fault: generating nothing would remove everything."""
        folder = self.root / "environments"
        names = [path.stem for path in _yaml_files(folder) if not is_base(path)]
        if not names and not may_be_none:
            raise UserError(
                "no environment file (*.yaml)",
                where=str(folder),
                fix="Describe a target in one: its pools, its Ray release and what it serves. `init` writes one.",
            )
        return names

    def environment(self, name: str) -> Environment:
        names = self.environment_names()
        if name not in names:
            raise UserError.unknown("environment", name, names, where=str(self.root / "environments"))
        return read_environment(self.environment_path(name))

    def served(self, environment: str, names: Sequence[str]) -> list[str]:
        """These families and apps of an environment, each once; all that it serves where none is named.

        Raises UserError where it does not serve one of them.
        """
        target = self.environment(environment)
        served = [*target.serve, *target.apps]
        for name in names:
            if name not in served:
                kind = "family or app" if target.apps else "family"
                raise UserError.unknown(kind, name, served, where=f"{self.environment_path(environment)}: serve")
        return list(dict.fromkeys(names)) or served

    def environment_path(self, name: str) -> Path:
        return self.root / "environments" / f"{name}.yaml"

    def values_path(self, environment: str, name: str) -> Path:
        """Where the values of a family or an app are."""
        return self.root / "values" / environment / f"{name}.yaml"

    def plan(self, name: str, catalog: Catalog | None = None) -> Plan:
        where = str(self.environment_path(name))
        return make_plan(name, self.environment(name), catalog or self.catalog(), where=where)

    def values(self, plan: Plan, catalog: Catalog) -> Generated:
        """Every values file of the plan's environment, checked against the chart's schema."""
        names = [name for name in (plan.environment.extends, plan.environment_name) if name]
        environments = [f"environments/{name}.yaml" for name in names]
        documents = {
            family: (family_values(plan, family), [f"catalog/{catalog.files[family].name}", *environments])
            for family in plan.families
        }
        for name, planned in plan.apps.items():
            where = f"{self.environment_path(plan.environment_name)}: apps.{name}.files"
            files = self.code(planned.app.files, where=where, no_secrets=plan.environment.chart.get(NOT_SECRETS, {}))
            documents[name] = (app_values(plan, name, files), [*environments, *planned.app.files])
        texts: dict[Path, str] = {}
        for name, (values, made_from) in documents.items():
            path = self.values_path(plan.environment_name, name)
            check_document(values, "values", Origin(str(path)))
            values = below(plan.environment.subchart, values)
            texts[path] = dump_yaml(values, header=header(plan, name, made_from=made_from))
        stale = [p for p in self._generated_earlier(plan.environment_name) if p not in texts]
        return Generated(texts=texts, stale=stale)

    def code(self, files: Sequence[str], *, where: str, no_secrets: Container[str] = ()) -> dict[str, str]:
        """The texts of an app's files by their names, by which alone they are delivered.

        A file that holds a secret is a UserError, unless its name is among `no_secrets`.
        """
        texts: dict[str, str] = {}
        for file in files:
            path = PurePosixPath(file)
            if path.is_absolute() or ".." in path.parts:
                raise UserError(f"'{file}' is no path in this project", where=where, fix="Write it from the root on.")
            if path.name in texts:
                raise UserError(f"'{path.name}' is there twice", where=where, fix="Files lie side by side: rename one.")
            try:
                texts[path.name] = read_text(self.root / path)
            except UserError as error:
                raise UserError(f"'{file}': {error.what}", where=where, fix=error.fix) from None
            if path.name not in no_secrets:
                refuse_secrets_in_code(texts[path.name], str(self.root / path))
        return texts

    def generated_values(self, names: list[str], report: Report = silent) -> Generated:
        catalog = self.catalog(may_be_empty=True)
        parts: list[Generated] = []
        for name in names:
            report(f"planning {name}")
            parts.append(self.values(self.plan(name, catalog), catalog))
        if names == self.environment_names():
            gone = [folder.name for folder in _entries(self.root / "values") if folder.name not in names]
            parts += [Generated(stale=self._generated_earlier(name)) for name in gone]
        return Generated.merged(parts)

    def _generated_earlier(self, environment: str) -> list[Path]:
        """The values files that earlier runs made for an environment. Whatever else lies there is a person's."""
        files = [path for path in _entries(self.root / "values" / environment) if path.suffix == ".yaml"]
        return [path for path in files if has_header(text_or_none(path, lenient=True) or "", environment, path.stem)]

    def generated_schemas(self) -> Generated:
        """The schemas for editors; where the chart lies beside, also Helm's, and the facts that the chart reads."""
        editors = {
            self.root / "schemas" / f"{kind}.schema.json": schema_text(schema)
            for kind, schema in editor_schemas().items()
        }
        if not (self.root / "chart").is_dir():
            return Generated(texts=editors)
        chart = self.root / "chart"
        note = "Generated by `python -m generator schema` from generator/data/{}. Do not edit."
        return Generated(
            texts={
                **editors,
                **{
                    self.root / "schemas" / "output" / f"{command}.schema.json": schema_text(schema)
                    for command, schema in output_schemas().items()
                },
                chart / "values.schema.json": schema_text(chart_schema(read_yaml(chart / "values.yaml"))),
                **{
                    chart / "files" / name: dump_yaml(facts, header=note.format(source))
                    for name, (source, facts) in _chart_facts().items()
                },
            }
        )


def _chart_facts() -> dict[str, tuple[str, Any]]:
    """By the name of a file of the chart, what of `generator/data/` its templates read, and the name of that."""
    chart_releases = {
        version: {key: value for key, value in release.facts.items() if key in CHART_FACTS}
        | {
            "vllm": release.vllm,
            "mostRanks": bounds_of("parallel_size")[1],
            "frontendArguments": release.frontend_arguments,
            "transferPorts": _transfer_ports(release),
        }
        for version, release in releases().items()
    }
    memory = {
        role: {"bytes": row["bytes"], "written": row["written"], "why": row["why"]}
        for role, row in read_data("least_memory.yaml").items()
    }
    llm_config = {
        version: {
            "defaults": llm_config_defaults(version),
            "rules": [
                {"at": row.at, "where": row.where, "why": row.why, "instead": row.instead}
                for row in llm_config_rules(version)
            ],
        }
        for version in releases()
    }
    host = read_data("host_memory.yaml")
    in_order = {
        name: {
            "orders": [{"small": row.small, "large": row.large, "where": row.where} for row in rules.orders],
            "needs": [{"key": row.key, "other": row.other} for row in rules.needs],
        }
        for name, rules in orders().items()
    }
    return {
        "releases.yaml": ("releases/", chart_releases),
        "accelerators.yaml": (
            "accelerators.yaml",
            {
                "notGpus": {name: {"resource": row.resource, "found": row.found} for name, row in not_gpus().items()},
                "otherGpus": {name: {"needs": row.needs} for name, row in other_gpus().items()},
            },
        ),
        "secrets.yaml": ("secrets.yaml", for_chart()),
        "least-memory.yaml": ("least_memory.yaml", memory),
        "host-memory.yaml": ("host_memory.yaml", {key: host[key] for key in ("besideGiB", "sharedMemoryGiB")}),
        "orders.yaml": ("orders.yaml", in_order),
        "llm-config-rules.yaml": ("llm_config_rules.yaml", llm_config),
        "reserved-keys.yaml": (
            "reserved_keys.yaml",
            {value: _reasons(rows) for value, rows in reserved_keys().items()},
        ),
        "ray-start-flags.yaml": ("ray_start_flags.yaml", ray_start_flags()),
        "network-policy.yaml": ("network_policy.yaml", _reasons(network_policy_rules())),
        "extra-objects.yaml": (
            "extra_objects.yaml",
            {
                kind: {"api": row.api, "why": row.why, "instead": row.instead, "keys": list(row.keys)}
                for kind, row in refused_objects().items()
            },
        ),
        "pod-security.yaml": ("pod_security.yaml", dict(pod_security())),
        "questions.yaml": ("questions.yaml", questions()),
        "other-engines.yaml": (
            "other_engines.yaml",
            {name: {"named": row["named"], "image": row["image"]} for name, row in other_engines().items()},
        ),
        "refused-arguments.yaml": ("refused_arguments.yaml", _reasons(refused_arguments(), "folders")),
        "refused-variables.yaml": ("refused_variables.yaml", _reasons(refused_variables(), "harmless")),
    }


def _transfer_ports(release: RayRelease) -> JsonObject:
    """How the release numbers the ports at which engines hand caches over; nothing where it takes any free one."""
    facts = disaggregation()
    known = release.arguments()["LLMConfig"]["properties"]["experimental_configs"]["properties"]
    return {"connector": facts.connector, **asdict(facts.side_channel)} if facts.side_channel.option in known else {}


def _reasons(rows: Mapping[str, Refused], *lists: str) -> JsonObject:
    """Why each is refused and what to do instead, with these of its lists."""
    return {
        name: {"why": row.why, "instead": row.instead, **{each: list(getattr(row, each)) for each in lists}}
        for name, row in rows.items()
    }


def _yaml_files(folder: Path) -> list[Path]:
    """The *.yaml files of a folder that people edit, in order. One that only looks left out is a fault."""
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise UserError(
            f"cannot be listed: {error.strerror}", where=str(folder), fix="Check that you may read this folder."
        ) from None
    for path in files:
        if path.suffix.lower() in (".yml", ".yaml") and path.suffix != ".yaml":
            raise UserError("would not be read", where=str(path), fix=f"Rename it to {path.stem}.yaml.")
    return [path for path in files if path.suffix == ".yaml"]


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder that the generator writes, in order; nothing where there is no such folder yet."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UserError(
            f"cannot be listed: {error.strerror}", where=str(folder), fix="Check that you may read this folder."
        ) from None


# What the chart's templates ask of a Ray release.
CHART_FACTS = (
    "image",
    "placementField",
    "modelDeployment",
    "builders",
    "prefillDecode",
    "defaultTargetOngoingRequests",
    "ingressDeployment",
    "maxSurgePercent",
    "scalingPolicy",
    "externalScaler",
    "throughputPath",
    "tokenAuth",
    "ports",
    "haproxyPorts",
    "requestRouters",
    "pathOfRouters",
    "bucketVariables",
)
