"""`validate` refuses what Kubernetes and KubeRay refuse of a pod or a NetworkPolicy though each word of it is right."""

from __future__ import annotations

from typing import Any

import pytest

from generator.documents.load import Origin, dump_yaml
from generator.errors import UserErrors
from generator.formats.check import check_document
from tests.support.pod_rules import ENVIRONMENT, REFUSED, TAKEN, below, clients


@pytest.mark.parametrize(("values", "words"), REFUSED)
def test_what_the_api_server_or_the_operator_would_refuse(values: Any, words: str) -> None:
    for data, kind in ((values, "values"), ({"chart": values} | ENVIRONMENT, "environment")):
        with pytest.raises(UserErrors) as raised:
            check_document(data, kind, Origin("file.yaml", dump_yaml(data)))
        assert words in str(raised.value)
        assert "file.yaml:" in str(raised.value)


@pytest.mark.parametrize("values", TAKEN)
def test_what_they_take(values: Any) -> None:
    check_document(values, "values", Origin("file.yaml"))


def test_a_range_of_ipv6_outside_the_other() -> None:
    """The chart leaves this one to the API server."""
    with pytest.raises(UserErrors) as raised:
        check_document(clients("fd00::/16", "fe00::/32"), "values", Origin("file.yaml"))
    assert "'fe00::/32' is not inside 'fd00::/16', from which it is taken out" in str(raised.value)


def test_what_is_of_another_shape_has_one_fault() -> None:
    for path in ("pods/tolerations", "pods/podLabels", "head/resources/limits", "networkPolicy/clients"):
        with pytest.raises(UserErrors) as raised:
            check_document(below(path, "x"), "values", Origin("file.yaml"))
        assert "should be " in str(raised.value)
