"""Laws of redaction: a secret of any known shape is gone from whatever holds it; what is no secret stays."""

import json
import string

from hypothesis import given
from hypothesis import strategies as st

from workers.logs import redact

WORD = string.ascii_letters + string.digits
words = st.text(WORD, min_size=12, max_size=40)

# One strategy per kind of secret that passes through a worker.
prefixes = st.sampled_from(
    ["sb_secret_", "sb_publishable_", "sk-", "sk_", "ghp_", "github_pat_", "pplx-", "fc-", "rk_"]
)
secrets = st.one_of(
    st.builds("{}{}".format, prefixes, words),
    st.builds("eyJ{}.{}.{}".format, words, words, words),
    st.builds("{}@{}.fr".format, words, words),
)
surroundings = st.text(string.ascii_letters + " :,;()\"'\n/=", max_size=20)
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
