"""The OpenAPI document tells the truth: Schemathesis asks, and no answer is a failure or one that is not described.

Besides what Schemathesis checks (schemas, content types, headers, methods, refused nonsense) every status must stand
in the document by its own number, and every `code` of a problem among the examples of its status: who reads the
document knows all that can come. The quick run takes few examples of each kind with a fixed seed; a larger one is
asked for by `PORTICO_TEST_SCALE`.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
)

from tests.access_matrix.scene import Scene
from tests.integration.ground import SCALE
from tests.integration.wire import ask

pytestmark = pytest.mark.anyio

type AnyCase = Case[Any]

EXAMPLES = {GenerationMode.POSITIVE: 2 * SCALE, GenerationMode.NEGATIVE: 3 * SCALE}
MOST_COVERAGE_CASES = 10 * SCALE
DATABASES = ["sqlite", "postgresql"] if SCALE > 1 else ["sqlite"]
CHECKS = [
    not_a_server_error, allow_header_conformance, content_type_conformance, negative_data_rejection,
    response_headers_conformance, response_schema_conformance, unsupported_method,
]  # fmt: skip
PARTS = ("method", "url", "headers", "params", "cookies", "data", "json", "files")


@pytest.mark.bar("ASVS-2.2.1", "T8", "ASVS-15.3.1", "ASVS-8.2.3")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("database_kind", DATABASES)
async def test_every_answer_is_described(app: FastAPI, scene: Scene) -> None:
    schema = schemathesis.openapi.from_dict(app.openapi())
    wrong: set[str] = set()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        for case in cases_of(schema, operation):
            place(case, scene)
            for caller in ("anonymous", "superuser"):
                if is_another_route(case):
                    continue
                response = await answered(app, case, dict(scene.credential(caller)))
                wrong.update(faults(case, response))
                if response.status_code < 300 and case.method not in {"GET", "HEAD"}:
                    await scene.renew("ada", "grace")

    assert not wrong, "\n".join(["", *sorted(wrong)])


def is_another_route(case: AnyCase) -> bool:
    """Tell whether a method that the path has not is one that `/organizations/{organization_id}` has."""
    operation = case.operation
    return bool(operation.path.endswith("/organizations/active") and case.method != operation.method.upper())


def cases_of(schema: Any, operation: Any) -> Iterator[AnyCase]:
    """Yield requests that fit the document and such that do not, the same ones in every run."""
    for mode, count in EXAMPLES.items():
        yield from drawn(operation, mode, count)
    covering = schema.iter_coverage_cases(
        operation,
        generation_modes=list(EXAMPLES),
        generation_config=schema.config.generation_for(operation=operation),
    )
    found = list(covering)
    yield from found[:: max(1, len(found) // MOST_COVERAGE_CASES)]


def drawn(operation: Any, mode: GenerationMode, count: int) -> list[AnyCase]:
    """Return so many examples that Hypothesis makes up."""
    cases: list[AnyCase] = []

    @hypothesis_settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def collect(case: AnyCase) -> None:
        cases.append(case)

    with suppress(Unsatisfiable):  # nothing to send, so nothing wrong can be sent
        collect()
    return cases


def place(case: AnyCase, scene: Scene) -> None:
    """Let good ids be those of somebody who is there, so that the request gets past the 404."""
    if case.meta is None or not case.meta.generation.mode.is_positive or not case.path_parameters:
        return
    ada = scene.people["ada"]
    ids = {
        "user_id": str(ada.id),
        "session_id": ada.session_id,
        "token_id": scene.token_id,
        "endpoint_id": scene.endpoint_id,
        "delivery_id": scene.delivery_id,
    }
    case.path_parameters = {name: ids.get(name, given) for name, given in case.path_parameters.items()}


async def answered(app: FastAPI, case: AnyCase, credential: dict[str, str]) -> Response:
    """Send the request as it is, and return the answer as Schemathesis takes it."""
    kwargs = case.as_transport_kwargs(base_url="http://localhost:8000")
    request = requests.Request(**{name: kwargs[name] for name in PARTS if name in kwargs}).prepare()
    for name, value in credential.items():
        request.headers[name] = value
    body = request.body or b""
    parts = urlsplit(request.url or "")
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    headers = [(name, value) for name, value in request.headers.items() if name.lower() != "host"]
    sent = body.encode() if isinstance(body, str) else body
    assert isinstance(sent, bytes)
    answer = await ask(app, request.method or "GET", target, headers=headers, body=sent)
    fields: dict[str, list[str]] = {}
    for name, value in answer.fields:
        fields.setdefault(name, []).append(value)
    return Response(answer.status_code, fields, answer.content, request, answer.cpu_seconds, verify=False)


def faults(case: AnyCase, response: Response) -> Iterator[str]:
    """Yield what is wrong with an answer, in one line each."""
    label = case.operation.label
    # An address that is too long is refused before anything in it is looked at; Schemathesis does not know that.
    too_long = {negative_data_rejection} if response.status_code == 414 else set()
    try:
        case.validate_response(response, checks=[check for check in CHECKS if check not in too_long])
    except FailureGroup as error:
        told = [line for line in str(error).splitlines() if line.strip()]
        yield f"{label}: {response.status_code}: {' | '.join(told)[:900]}"
    if case.method != case.operation.method.upper():
        return
    described = described_answer(case, str(response.status_code))
    if described is None:
        yield f"{label}: {response.status_code} is not described: {response.content[:200]!r}"
    elif response.status_code >= 400 and not is_error_of_protocol(described, response):
        examples = described["content"]["application/problem+json"]["examples"]
        code = response.json()["code"]
        if code not in examples:
            yield f"{label}: {response.status_code} {code} is not among {sorted(examples)}"


def is_error_of_protocol(described: dict[str, Any], response: Response) -> bool:
    """Tell whether an answer is what the endpoints of OAuth say themselves; the edge's problems come there, too.

    JSON that the document has as such has been held against its schema; a page is a page. What has no body at all has
    to be described as such: only userinfo says everything in a header (RFC 6750, section 3.1).
    """
    kind = response.headers.get("content-type", [""])[0].partition(";")[0]
    if kind in described.get("content", {}):
        return kind != "application/problem+json"
    return "content" not in described and "www-authenticate" in response.headers


def described_answer(case: AnyCase, status: str) -> dict[str, Any] | None:
    """Return what the document says of a status of the operation, where it stands or where it refers to."""
    answer: dict[str, Any] | None = case.operation.definition.raw["responses"].get(status)
    name = (answer or {}).get("$ref", "").rpartition("/")[2]
    shared: dict[str, Any] = case.operation.schema.raw_schema["components"]["responses"]
    return shared[name] if name else answer
