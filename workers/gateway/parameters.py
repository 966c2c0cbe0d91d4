"""The parameters sent to a model besides its name and the messages: those it is not known to refuse."""

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
        """Leave out from now on those sent parameters that an error names; return whether it names any."""
        named = find_refused_parameters(body, sent)
        self._refused.setdefault(model, set()).update(named)
        return bool(named)

    def refuse_all(self, model: str) -> None:
        """Send nothing but name and messages from now on: the model has answered with those alone."""
        self._refused[model] = set(_ALL)
