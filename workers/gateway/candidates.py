"""Which models of a tier are worth asking: the configured list, minus what the gateway no longer has.

A model counts as gone for a day after the gateway has said so (404, 410, or an error that names the model), or when the
gateway's list of models lacks it or gives a shutdown date that has passed. If all of a tier's models would count as
gone, all are asked again: then it is more likely that the list, or the gateway, is wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from pydantic import JsonValue

from shared.registry import ModelTier
from workers.ports import Clock

_GONE_FOR: Final = timedelta(days=1)
_MOST_ENTRIES: Final = 10_000
# What gateways call the day on which they stop serving a model.
_SHUTDOWN_FIELDS: Final = ("shutdown_date", "deprecation_date", "expiration_date", "retirement_date")


class Retired(NamedTuple):
    """A model that was found to be gone, and why."""

    model: str
    reason: str


class Candidates:
    """The lists of models, and what is known about each. One instance per process; its state is memory only."""

    def __init__(self, lists: Mapping[ModelTier, Sequence[str]], *, clock: Clock) -> None:
        self._lists = lists
        self._clock = clock
        self._gone: dict[str, timedelta] = {}  # model → the clock reading until which it is passed over

    def models(self) -> list[str]:
        """Return every model of every tier, each once."""
        return list(dict.fromkeys(model for models in self._lists.values() for model in models))

    def preferred(self, tier: ModelTier) -> str:
        """Return the first model of the tier's list, gone or not."""
        return self._lists[tier][0]

    def of(self, tier: ModelTier) -> list[str]:
        """Return the models of the tier that are worth asking, in order; never empty."""
        models = self._lists[tier]
        return [model for model in models if not self.is_gone(model)] or list(models)

    def is_gone(self, model: str) -> bool:
        """Return whether the model is passed over for now."""
        return self._gone.get(model, timedelta(0)) > self._now()

    def gone(self) -> list[str]:
        """Return the models of the lists that are passed over for now."""
        return [model for model in self.models() if self.is_gone(model)]

    def note_gone(self, model: str, reason: str) -> Retired | None:
        """Pass the model over for a day; return what is to be reported, or None if it was passed over already."""
        known = self.is_gone(model)
        self._gone[model] = self._now() + _GONE_FOR
        return None if known else Retired(model, reason)

    def learn_list(self, body: JsonValue) -> list[Retired]:
        """Learn from an answer to ``GET /models``.

        A list that holds none of our models proves nothing, nor does one that goes on elsewhere.
        """
        listed = dict(_entries(body))
        ours = self.models()
        goes_on = isinstance(body, dict) and bool(body.get("has_more") or body.get("next"))
        if goes_on or not any(model in listed for model in ours):
            return []
        today = self._clock.now().date()
        found = []
        for model in ours:
            if model not in listed:
                found.append(self.note_gone(model, "not listed by the gateway"))
            elif (ends := listed[model]) is not None and ends <= today:
                found.append(self.note_gone(model, f"shut down on {ends.isoformat()}"))
        return [retired for retired in found if retired is not None]

    def _now(self) -> timedelta:
        return timedelta(seconds=self._clock.monotonic())


def _entries(body: JsonValue) -> Iterator[tuple[str, date | None]]:
    """Yield each model's id and shutdown date; leave out entries of another shape."""
    data = body.get("data") if isinstance(body, dict) else None
    for entry in data[:_MOST_ENTRIES] if isinstance(data, list) else ():
        model = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(entry, dict) and isinstance(model, str):
            yield model, next(filter(None, (_read_date(entry.get(field)) for field in _SHUTDOWN_FIELDS)), None)


def _read_date(value: JsonValue) -> date | None:
    try:
        return datetime.fromisoformat(value).date() if isinstance(value, str) else None
    except ValueError:
        return None
