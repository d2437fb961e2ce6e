"""The OpenAPI document against the server that it describes: generated requests, right and wrong ones."""

from __future__ import annotations

import re

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

ADDRESS = "/vectrahub/v1/openapi.json"
EXAMPLES = 8  # of each operation, right ones and as many wrong ones
BOUNDARIES = 60  # of each operation: values at and beyond the limits

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@schemathesis.serializer("application/offset+octet-stream")
def bytes_as_they_are(_context, value):
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def operations(host):
    schema = schemathesis.openapi.from_url(host.url + ADDRESS)
    return [result.ok() for result in schema.get_all_operations()]


def check(case):
    # A long wait says no more than a short one, and one beyond the limit is refused at once.
    if re.fullmatch(r"[0-9.]+", wait := str((case.query or {}).get("wait", ""))) and 1 < float(wait) <= 60:
        case.query["wait"] = 1
    case.call_and_validate(checks=CHECKS, timeout=30)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_the_server_does_what_the_document_says(operations, mode, subtests):
    for operation in operations:
        test = given(case=operation.as_strategy(mode))(lambda case: check(case))
        test = settings(
            max_examples=EXAMPLES,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(test)
        with subtests.test(operation=operation.label):
            try:
                test()
            except Unsatisfiable:  # an operation that takes nothing has no wrong requests
                assert mode is GenerationMode.NEGATIVE


def test_limits_are_where_the_document_says(operations, subtests):
    for operation in operations:
        cases = operation.schema.iter_coverage_cases(
            operation,
            generation_modes=list(GenerationMode),
            generation_config=operation.schema.config.generation,
        )
        for case in spread(list(cases), BOUNDARIES):
            with subtests.test(operation=operation.label, case=case.id):
                check(case)


def spread(cases, count):
    return cases[:: max(1, -(-len(cases) // count))]


@pytest.fixture(scope="module")
def document(host):
    return httpx.get(host.url + ADDRESS, timeout=60, trust_env=False).json()


def test_every_reference_leads_somewhere_and_every_schema_is_used(document):
    named = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    def references(value):
        if isinstance(value, dict):
            yield from ([value["$ref"]] if "$ref" in value else [])
            value = list(value.values())
        if isinstance(value, list):
            for one in value:
                yield from references(one)

    assert set(references(document)) == named


def test_every_operation_is_named_once_and_told_of(document):
    operations = [one for path in document["paths"].values() for one in path.values()]
    names = [one["operationId"] for one in operations]
    assert len(names) == len(set(names)) and all(one["summary"] and one["tags"] for one in operations)


def test_what_is_open_needs_no_token_and_everything_else_may_answer_401(document):
    for path, operations in document["paths"].items():
        for operation in operations.values():
            is_open = operation.get("security") == []
            assert is_open == path.endswith(("/openapi.json", "/health", "/ready", "/metrics")), path
            assert is_open != ("401" in operation["responses"]), path
