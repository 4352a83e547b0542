"""JSON Schemas for `kubeconform -strict`, made from KubeRay's CRDs and the OpenAPI document of Kubernetes.

    python -m tools.kubernetes_schemas OUT --crds FOLDER --openapi api/openapi-spec/swagger.json
    kubeconform -strict -schema-location 'OUT/{{ .ResourceKind }}{{ .KindSuffix }}.json' manifest.yaml

A mapping whose keys the API names takes no others, so that a field of a later KubeRay, or a misspelt one, is an error:
the API server would drop it without a word.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from generator.documents.files import read_text
from generator.documents.load import load_documents
from tools.references import REF, Schema, reachable

# Kinds of Kubernetes itself that the chart makes.
CORE_KINDS = (
    "ConfigMap",
    "DaemonSet",
    "Ingress",
    "Job",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "Role",
    "RoleBinding",
    "ServiceAccount",
)
# What the OpenAPI document calls a string, and the API server also takes as a number.
_NUMBERS_TOO = ("io.k8s.apimachinery.pkg.api.resource.Quantity", "io.k8s.apimachinery.pkg.util.intstr.IntOrString")


def crd_schemas(folder: Path) -> dict[str, Schema]:
    """Return the schema of every served version of every CRD in `folder`, by the name of its file."""
    schemas = {}
    manifests = (each for path in sorted(folder.glob("*.yaml")) for each in load_documents(read_text(path), str(path)))
    for manifest in manifests:
        if manifest.get("kind") != "CustomResourceDefinition":
            continue
        spec = manifest["spec"]
        for version in spec["versions"]:
            if version["served"]:
                schema = version["schema"]["openAPIV3Schema"]
                # The API server's own part of every object, which a CRD leaves out.
                schema["properties"]["metadata"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                schemas[file_name(spec["names"]["kind"], spec["group"], version["name"])] = closed(schema)
    if not schemas:
        raise SystemExit(f"{folder}: no CRD there; name a folder such as kuberay's ray-operator/config/crd/bases")
    return schemas


def core_schemas(openapi: Path, kinds: tuple[str, ...] = CORE_KINDS) -> dict[str, Schema]:
    """Return the schemas of `kinds` from Kubernetes' OpenAPI document, by the name of their file."""
    definitions = json.loads(openapi.read_text(encoding="utf-8"))["definitions"]
    for name in _NUMBERS_TOO:
        definitions[name] = {"type": ["string", "number"]}
    schemas = {}
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            if kind["kind"] in kinds and len(definition["x-kubernetes-group-version-kind"]) == 1:
                needed = {used: closed(schema) for used, schema in sorted(reachable(definitions, [name]).items())}
                schemas[file_name(kind["kind"], kind["group"], kind["version"])] = {
                    "$ref": REF + name,
                    "definitions": needed,
                }
    return schemas


def file_name(kind: str, group: str, version: str) -> str:
    """What kubeconform makes of a kind: `rayservice-ray-v1.json`, `configmap-v1.json`."""
    return "-".join(part for part in (kind.lower(), group.split(".")[0], version) if part) + ".json"


def closed(schema: Any) -> Any:
    """Return `schema` with no other keys than it names, wherever it names some and does not keep unknown ones."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items() if key != "properties"}
    if "properties" in schema:
        # Its keys are names of fields, one of which may well be `properties`.
        result["properties"] = {name: closed(field) for name, field in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            result.setdefault("additionalProperties", False)
    return result


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.kubernetes_schemas",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", type=Path, help="folder for the schema files; made when it is not there")
    parser.add_argument("--crds", type=Path, help="folder with CRDs, such as ray-operator/config/crd/bases of KubeRay")
    parser.add_argument("--openapi", type=Path, help="api/openapi-spec/swagger.json of Kubernetes")
    options = parser.parse_args(arguments)
    schemas = {
        **(crd_schemas(options.crds) if options.crds else {}),
        **(core_schemas(options.openapi) if options.openapi else {}),
    }
    if not schemas:
        parser.error("nothing to do: give --crds, --openapi or both")
    options.output.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas.items():
        (options.output / name).write_text(json.dumps(schema), encoding="utf-8")
    print(f"{options.output}: {len(schemas)} schemas")
    return 0


if __name__ == "__main__":
    sys.exit(main())
