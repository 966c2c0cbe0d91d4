"""Laws of redaction: a secret of any known shape is gone from whatever holds it; what is no secret stays."""

import json
import string
from urllib.parse import quote

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.secrets import WORD, secrets, words

from workers.logs import REDACTED, never_show, redact, redact_text

surroundings = st.text(string.ascii_letters + " :,;()\"'\n/=", max_size=20)
# A key as an operator may have pasted it: any printable character but a space.
odd_keys = st.text(string.ascii_letters + string.digits + string.punctuation, min_size=8, max_size=60)
values: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(WORD + " ", max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(WORD, max_size=6), inner, max_size=3),
    max_leaves=8,
)


def bury(secret: str, depths: list[str]) -> object:
    """Put a secret somewhere inside."""
    buried: object = secret
    for depth in depths:
        buried = {"list": [buried], "dict": {"note": buried}, "tuple": (1, buried)}[depth]
    return buried


@given(secrets, surroundings, surroundings, st.lists(st.sampled_from(["list", "dict", "tuple"]), max_size=4))
def test_no_secret_survives_wherever_it_stands(secret: str, before: str, after: str, depths: list[str]) -> None:
    redacted = json.dumps(redact(bury(f"{before} {secret} {after}", depths)))

    assert secret not in redacted
    assert "[redacted]" in redacted


@given(
    words, st.sampled_from(["password", "api_key", "x-api-key", "Authorization", "access_token", "SERVICE_ROLE_KEY"])
)
def test_what_stands_under_a_secrets_name_is_gone_whatever_its_shape(value: str, name: str) -> None:
    for held in (value, [value], {"inner": value}, value.encode()):
        assert value not in json.dumps(redact({"headers": {name: held}}))


@given(values)
def test_what_is_no_secret_stays_as_it_is(value: object) -> None:
    assert redact(value) == value


@given(st.one_of(values, secrets))
def test_redacting_twice_is_redacting_once(value: object) -> None:
    assert redact(redact(value)) == redact(value)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece",
    ["a", "a.", "a-", "+", "@", "a@", "a@b-", "a@b.", "a@.", "eyJ", "eyJaaaaaaaa.", "eyJaaaaaaaa..", "sk-", "sk-a ",
     "Bearer ", "Bearer a", "://", "://a:", "://a:b", ":a", "://a:b@", "/functions/v1/", "é", "\\n", " "],
)  # fmt: skip
def test_a_long_hostile_text_takes_time_in_proportion_to_its_length(piece: str) -> None:
    for end in ("", "@", "!", ".", "\n"):
        text = piece * (400_000 // len(piece)) + end  # in quadratic time, minutes

        assert len(redact_text(text)) <= len(text) * len(REDACTED)


@given(st.lists(odd_keys, min_size=1, max_size=4), surroundings, surroundings)
@example(["prefix-key", "prefix-key-longer"], "", "")
@example(['quo"te\\back', "per%2Fcent/+="], "", "")
def test_the_value_of_a_key_is_gone_whatever_its_shape_and_however_it_is_echoed(
    keys: list[str], before: str, after: str
) -> None:
    never_show(keys)

    for key in keys:
        for echoed in (key, json.dumps({"error": key}), quote(key, safe=""), repr(key.encode())):
            redacted = redact_text(f"{before}{echoed}{after}")
            assert key not in redacted.replace(REDACTED, " ")
            assert quote(key, safe="") not in redacted.replace(REDACTED, " ")
            assert json.dumps(key)[1:-1] not in redacted.replace(REDACTED, " ")


def test_a_vendors_error_that_echoes_our_key_is_told_without_it() -> None:
    key = "Lov4ble/odd=key~without^prefix"
    never_show([key])
    request = httpx.Request("POST", "https://api.example/v1")
    answer = httpx.Response(401, json={"error": {"message": f"Incorrect API key provided: {key}."}}, request=request)
    error = ValueError(f"refused: {answer.text}")

    redacted = json.dumps(
        redact({"error_message": str(error), "error": error, "body": answer.content, "all": [answer.text]})
    )

    assert key not in redacted
    assert "Incorrect API key provided: [redacted]." in redacted


def test_a_value_too_short_to_be_a_key_tears_no_hole_into_words() -> None:
    never_show(["", "a", "secret1"])

    assert redact_text("a secret1 remains") == "a secret1 remains"
