"""Answers that an object keeps for as long as it lives."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

_Self = TypeVar("_Self")
_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


def memoized(
    method: Callable[Concatenate[_Self, _Arguments], _Answer],
) -> Callable[Concatenate[_Self, _Arguments], _Answer]:
    """`cached_property` for a method with hashable arguments: each answer is computed once for an object."""
    name = f"_memo_of_{method.__name__}"

    @wraps(method)
    def answer(self: _Self, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
        memo: dict[Any, _Answer] = vars(self).setdefault(name, {})
        key = (args, *kwargs.items())
        if key not in memo:
            memo[key] = method(self, *args, **kwargs)
        return memo[key]

    return answer
