"""What goes to the database can be held by it, whatever untrusted callers wrote."""

import json

from hypothesis import given
from hypothesis import strategies as st

from workers.backend.rpc import _storable


def any_json(texts: st.SearchStrategy[str], *, numbers: st.SearchStrategy[float]) -> st.SearchStrategy[object]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | numbers | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=10,
    )


written = st.text(st.characters() | st.sampled_from(["\x00", "\ud83d", "\udc00"]))
storable = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))


@given(any_json(written, numbers=st.floats()))
def test_any_value_goes_over_the_wire_and_into_postgresql(value: object) -> None:
    sent = json.dumps(_storable(value), ensure_ascii=False, allow_nan=False).encode()

    assert b"\\u0000" not in sent.replace(b"\\\\", b"")


@given(any_json(storable, numbers=st.floats(allow_nan=False, allow_infinity=False)))
def test_what_can_be_held_as_it_is_is_not_touched(value: object) -> None:
    assert _storable(value) == value
