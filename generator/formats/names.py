"""Names that the command line is given, held to the pattern of their kind before they become a path."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from generator.errors import UserError, cut
from generator.formats.texts import in_words


def check_name(name: str | None, kind: Any, option: str) -> None:
    """Raise UserError, in words, where a name is none of this kind (`FamilyName`, …); None is left out."""
    try:
        TypeAdapter(kind | None).validate_python(name)
    except ValidationError as error:
        pattern = error.errors(include_url=False)[0].get("ctx", {}).get("pattern", "")
        raise UserError(
            f"'{cut(str(name))}' has characters or a length that is not accepted",
            where=option,
            fix=f"It must be {in_words(pattern)}.",
        ) from None
