"""What is sent to a model beside its name and the messages: what it is not known to refuse."""

from typing import Final

from pydantic import JsonValue

from workers.gateway.answers import find_refused_parameters

_ALL: Final = frozenset({"max_tokens", "max_completion_tokens", "reasoning_effort"})


class Parameters:
    """The parameters that each model refuses, learnt from its refusals. One instance per process; memory only."""

    def __init__(self) -> None:
        self._refused: dict[str, set[str]] = {}

    def choose(self, model: str, *, max_tokens: int, effort: str) -> dict[str, JsonValue]:
        """Return the parameters to send."""
        refused = self._refused.get(model, set())
        room = "max_completion_tokens" if "max_tokens" in refused else "max_tokens"
        wanted: dict[str, JsonValue] = {room: max_tokens, "reasoning_effort": effort}
        return {name: value for name, value in wanted.items() if name not in refused}

    def learn(self, model: str, sent: dict[str, JsonValue], body: JsonValue) -> bool:
        """Leave out from now on what an error names of what was sent; return whether it names anything."""
        named = find_refused_parameters(body, sent)
        self._refused.setdefault(model, set()).update(named)
        return bool(named)

    def refuse_all(self, model: str) -> None:
        """Send nothing but name and messages from now on: with those alone the model has answered."""
        self._refused[model] = set(_ALL)
