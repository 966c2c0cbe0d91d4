"""Every exception of Supabase's client libraries becomes one of ours at the border, with its cause kept."""

import inspect
from collections.abc import Iterator
from types import ModuleType

import aiohttp
import httpx
import postgrest.exceptions
import pytest
import supabase_auth.errors
from postgrest import APIError
from pydantic import BaseModel, ValidationError

from shared import errors
from workers.backend.translate import translated


class _Shape(BaseModel):
    number: int


def foreign(*modules: ModuleType) -> Iterator[type[Exception]]:
    """Name every exception that the libraries may raise at us."""
    for module in modules:
        for name, thing in inspect.getmembers(module, inspect.isclass):
            if issubclass(thing, Exception) and not name.startswith("_"):
                yield thing


def make(error: type[Exception]) -> Exception:
    """Make an exception without knowing what its maker wants."""
    return error.__new__(error)


LOST = {error for error in foreign(aiohttp) if issubclass(error, aiohttp.ClientError)}
FOREIGN = sorted(LOST | set(foreign(httpx, supabase_auth.errors)), key=lambda error: error.__name__)


def translate(error: Exception) -> errors.WorkersError:
    with pytest.raises(errors.WorkersError) as raised, translated("claim_hq_runs"):
        raise error
    assert raised.value.__cause__ is error
    return raised.value


def api_error(code: str, message: str = "a message", hint: str | None = None) -> APIError:
    return APIError({"code": code, "message": message, "hint": hint, "details": None})


def crosses(error: type[Exception]) -> bool:
    """Whether an exception is not translated, or its cause is not kept."""
    try:
        translate(make(error))
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever is raised, it crossed
        return True
    return False


def test_no_exception_of_the_libraries_crosses_the_border() -> None:
    assert [error for error in FOREIGN if crosses(error)] == []


def test_postgrest_has_no_exception_that_we_do_not_know() -> None:
    assert set(foreign(postgrest.exceptions)) == {APIError}


def test_a_broken_connection_is_worth_repeating() -> None:
    broken = [error for error in FOREIGN if error in LOST or issubclass(error, httpx.TransportError)]
    ours = {error: translate(make(error)) for error in broken}

    assert [error for error in broken if not isinstance(ours[error], errors.BackendUnavailable)] == []
    assert [error for error in broken if error.__name__ not in str(ours[error])] == []


def test_an_answer_in_another_shape_is_none_and_nothing_of_it_is_shown() -> None:
    with pytest.raises(ValidationError) as raised:
        _Shape.model_validate({"number": "sk-secret"})

    ours = translate(raised.value)

    assert isinstance(ours, errors.BackendUnavailable)
    assert "sk-secret" not in str(ours)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("HQ001", errors.Forbidden),
        ("HQ002", errors.UnknownRunType),
        ("HQ003", errors.UnknownPlatform),
        ("HQ004", errors.RateLimited),
        ("HQ005", errors.ContextTooLarge),
        ("HQ006", errors.UnknownRun),
        ("HQ007", errors.KeyReused),
        ("HQ008", errors.QueueHeld),
    ],
)
def test_what_our_sql_refuses_keeps_its_french_sentence(code: str, kind: type[errors.WorkersError]) -> None:
    ours = translate(api_error(code, "La plateforme n'est pas connue.", hint="select key from hq.platforms"))

    assert type(ours) is kind
    assert ours.sentence == "La plateforme n'est pas connue."
    assert "select key from hq.platforms" in str(ours)


@pytest.mark.parametrize(
    "code",
    [
        "08006",  # connection failure
        "0A000",  # a cached plan that a migration has overtaken
        "26000",  # a prepared statement that a pooler has lost
        "42P05",  # and one that it has kept
        "25006",  # read only: a failover is under way
        "40P01",  # deadlock
        "53300",  # too many connections
        "55P03",  # lock timeout, which the hosted project sets
        "57014",  # statement timeout
        "57P01",  # the server is being restarted
        "58000",  # the disk
        "XX000",  # a function that is being replaced
        "",  # a session that was ended in the middle of an answer
        "PGRST000",
        "PGRST001",
        "PGRST002",
        "PGRST003",
        "PGRSTX00",
        "404",  # what the library puts where there is no code
        "E-17",
        "ERROR",
    ],
)
def test_what_passes_by_itself_is_worth_repeating(code: str) -> None:
    assert isinstance(translate(api_error(code)), errors.BackendUnavailable)


@pytest.mark.parametrize("code", ["22P02", "23505", "25001", "42501", "55000", "P0001", "PGRST102", "PGRST301"])
def test_what_does_not_pass_is_not_repeated(code: str) -> None:
    assert isinstance(translate(api_error(code)), errors.BackendRejected)


@pytest.mark.parametrize("code", ["PGRST202", "42883", "42P01"])
def test_a_missing_function_names_the_command_that_brings_it(code: str) -> None:
    assert "emocare migrate" in str(translate(api_error(code)))


def test_a_missing_function_is_not_answered_with_the_name_of_another() -> None:
    ours = translate(api_error("PGRST202", "Could not find it.", hint="Perhaps you meant insert_hq_run"))

    assert "insert_hq_run" not in str(ours)
    assert "no such function" in str(ours)


def test_a_public_key_is_distinguished_from_a_missing_function() -> None:
    assert "SUPABASE_SERVICE_ROLE_KEY" in str(translate(api_error("42501")))


@pytest.mark.parametrize("answer", [{"error": "not found"}, {"message": "no Route matched"}, {"code": "404"}])
def test_an_address_that_is_not_a_project_names_the_variable(answer: dict[str, str]) -> None:
    message = str(translate(APIError(answer)))

    assert "Check SUPABASE_URL" in message
    assert "  " not in message


def test_what_is_ours_already_passes_as_it_is() -> None:
    error = errors.BackendUnavailable("Supabase answered 503.")

    with pytest.raises(errors.BackendUnavailable) as raised, translated("claim_hq_runs"):
        raise error

    assert raised.value is error
