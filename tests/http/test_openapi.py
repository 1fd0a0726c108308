"""The document describes every answer; schemathesis finds none that it does not."""

import copy
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings as hypothesis_settings, strategies
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from portico.composition import compose
from portico.core.settings import Settings
from tests.http.shop import shop_app

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance, negative_data_rejection, unsupported_method,
]  # fmt: skip
NOT_EXPLORED = ("/failing", "/half", "/slow", "/stream", "/cached")
"""Fail on purpose, or answer in another media type than a route says by itself."""


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"http": {"allowed_hosts": ("localhost", "testserver")}}


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    """The document, with shared answers put where they are referred to."""
    document = copy.deepcopy(app.openapi())
    shared = document["components"]["responses"]
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                name = answer.get("$ref", "").rpartition("/")[2]
                operation["responses"][status] = shared[name] if name else answer
    return document


async def test_every_operation_describes_what_the_floor_answers(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            responses = operation["responses"]
            problems = {
                status: body for status, body in responses.items() if status == "default" or status >= "400"
            }

            assert {"400", "503", "default"} <= set(responses), (method, path)
            assert all(
                list(answer["content"]) == ["application/problem+json"] for answer in problems.values()
            )
            assert ("413" in responses) is (method != "get")
            assert ("401" in responses) is ("security" in operation)
            assert ("429" in responses) is (path not in {"/health", "/health/ready"})


async def test_routes_own_errors_stand_beside_those_of_the_floor(document: dict[str, Any]) -> None:
    conflict = document["paths"]["/api/v1/shop/orders"]["post"]["responses"]["409"]["content"][
        "application/problem+json"
    ]

    assert set(conflict["examples"]) == {"out_of_stock", "idempotency_in_progress"}


async def test_fastapis_own_error_shapes_are_gone(document: dict[str, Any]) -> None:
    assert "Problem" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert "HTTPValidationError" not in str(document["paths"])


async def test_rights_and_limits_stand_in_the_document(document: dict[str, Any]) -> None:
    paths = document["paths"]

    assert paths["/api/v1/shop/closed"]["get"]["x-permissions"] == ["shop:self:read"]
    assert paths["/api/v1/shop/sign-in"]["post"]["x-rate-limit"] == "sign_in"
    assert "Idempotency-Key" in str(paths["/api/v1/shop/orders"]["post"]["parameters"])
    assert "parameters" not in paths["/api/v1/shop/open"]["get"]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.bar("ASVS-2.2.1", "ASVS-1.3.3", "ASVS-16.5.1", "CHECK-20")
def test_schemathesis_finds_no_answer_that_is_not_described(settings: Settings) -> None:
    app, _ = shop_app(compose(settings, []))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if not operation.path.endswith(NOT_EXPLORED):
            explore(operation)


def explore(operation: Any) -> None:
    """Send what the operation's description allows, and what it does not."""

    @hypothesis_settings(
        max_examples=25, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=strategies.one_of(operation.as_strategy(), operation.as_strategy(GenerationMode.NEGATIVE)))
    def one(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    one()
