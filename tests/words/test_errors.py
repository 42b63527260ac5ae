"""The error tree says whose fault it is, as its docstring draws it."""

import inspect
import re

import pytest

from bankbridge.words import errors
from bankbridge.words.errors import (
    BankBridgeError,
    ConfigurationError,
    ImpossibleEventError,
    MovementsMissingError,
    PayloadError,
    ProviderError,
    RefusedError,
    StaleVersionError,
    TransportError,
    YoursError,
)

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = re.findall(r"^( *[│ ]*[├└]?─* ?)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE)
    assert {name for _, name in drawn} == {kind.__name__ for kind in ALL}
    parents: dict[int, str] = {}
    for indent, name in drawn:
        depth = (len(indent) - 4) // 4
        parents[depth] = name
        if depth:
            assert getattr(errors, name).__base__.__name__ == parents[depth - 1]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_is_one_of_ours_and_documented(kind: type[Exception]):
    assert issubclass(kind, BankBridgeError)
    assert kind.__name__.endswith("Error")
    assert kind.__doc__


def test_the_faults_are_apart():
    yours, providers = YoursError("x"), ProviderError("x")
    for error in (providers, TransportError("x"), ImpossibleEventError("x"), StaleVersionError("x")):
        assert not isinstance(error, YoursError)
    assert not isinstance(yours, ProviderError)


def test_all_that_is_wrong_with_a_configuration_is_said_at_once():
    error = ConfigurationError(["secret_key: required field missing", "base_url: must be a URL"])
    assert error.problems == ("secret_key: required field missing", "base_url: must be a URL")
    assert str(error) == "secret_key: required field missing\nbase_url: must be a URL"


def test_a_refusal_says_what_the_provider_said():
    error = RefusedError(status=422, code="in_progress", message="One runs.", request_id="req_1")
    assert str(error) == "provider answered 422: in_progress: One runs."
    assert (error.status, error.code, error.request_id) == (422, "in_progress", "req_1")
    assert str(RefusedError(status=502, code=None, message=None)) == (
        "provider answered 502: no code: no message"
    )


def test_a_payload_error_names_the_place():
    error = PayloadError("$.data.id", "must be a string, is a number")
    assert (error.path, str(error)) == ("$.data.id", "$.data.id: must be a string, is a number")


def test_missing_movements_say_where():
    error = MovementsMissingError(["acc_1 in June", "acc_2"])
    assert str(error) == "2 stretch(es) of movements stayed incomplete: acc_1 in June; acc_2"
    assert error.gaps == ("acc_1 in June", "acc_2")
