"""The shared definitions of a release: its classes and annotations as schemas, by name."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.errors import PydanticUserError

from tools.references import REF, Schema

from . import declared
from .left_out import LeftOut
from .narrowed import Narrowed
from .provenance import Provenance
from .schema import exclusive, simplified, union


class Definitions(dict[str, Schema]):
    """A name has one schema; two classes of one name with different schemas are an error."""

    def __init__(self, narrowed: Narrowed, provenance: Provenance) -> None:
        super().__init__()
        self._narrowed = narrowed
        self.provenance = provenance

    def __setitem__(self, name: str, schema: Schema) -> None:
        if self.get(name, schema) != schema:
            raise SystemExit(f"two classes named {name} have different schemas: give one of them another name")
        super().__setitem__(name, schema)

    def of_model(self, model: type) -> Schema:
        """`{"$ref": …}` to the schema of a pydantic model."""
        self.provenance.reads(model)
        name, schemas = declared.of_model(model)
        self._add(schemas)
        return {"$ref": REF + name}

    def of_models(self, models: Iterable[type | None]) -> None:
        """The same for each that this release has."""
        for model in models:
            if model is not None:
                self.of_model(model)

    def of_annotation(self, annotation: Any) -> Schema:
        """The schema of a type annotation; a union is tried part by part where it fails as a whole.

        Raises PydanticUserError (or its kin) where pydantic cannot say it.
        """
        try:
            schema = declared.of_annotation(annotation)
        except PydanticUserError:
            if typing.get_origin(annotation) not in {typing.Union, types.UnionType}:
                raise
            return union([self._of_annotation_or_object(part) for part in typing.get_args(annotation)], {})
        self._add(schema.pop("$defs", {}))
        if "properties" in schema:
            self._add({schema["title"]: schema})
            return {"$ref": REF + schema["title"]}
        return simplified(schema)

    def without(self, name: str, ref: Schema, left_out: Mapping[str, LeftOut]) -> Schema:
        """The schema `name`: a copy of a definition without some keys, the reasons for which are kept."""
        schema = self[ref["$ref"].removeprefix(REF)]
        kept = {field: child for field, child in schema["properties"].items() if field not in left_out}
        self.provenance.leaves_out(
            name, {field: left_out[field] for field in schema["properties"] if field in left_out}
        )
        required = [field for field in schema.get("required", []) if field in kept]
        rest = {key: value for key, value in schema.items() if key != "required"}
        return {**rest, "properties": kept, **({"required": required} if required else {})}

    def _of_annotation_or_object(self, annotation: Any) -> Schema:
        try:
            return self.of_annotation(annotation)
        except PydanticUserError:
            return {"type": "object"}

    def _add(self, schemas: Mapping[str, Schema]) -> None:
        """Define classes by their raw schemas."""
        for name, raw in schemas.items():
            schema = simplified(raw)
            for field, child in schema.get("properties", {}).items():
                schema["properties"][field] = self._narrowed.field(name, field, child)
            self[name] = exclusive(schema)
