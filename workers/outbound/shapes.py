"""Third parties' answers, parsed leniently: an optional field that is malformed does not cost the fields we need."""

from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    OnErrorOmit,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

_T = TypeVar("_T")


def _demand_any(value: object, read: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 - a list of the items
    items = read(value)
    if value and not items:
        raise ValueError("no item is readable")
    return items


Items = Annotated[list[OnErrorOmit[_T]], WrapValidator(_demand_any)]
"""A list without its unreadable items; one in which nothing is readable is itself unreadable."""


Count = Annotated[int, Field(ge=0, lt=10**15)]
"""A count, or a number of a thing, that can be written in a report; JSON may hold integers of thousands of digits."""


MOST_ITEMS: Final = 100
"""What is read of a list: no page that we ask for has more items."""

Present = Annotated[bool, BeforeValidator(lambda value: value is not None)]
"""Whether a field holds anything: what it holds is not kept."""


class ForeignModel(BaseModel):
    """A part of a third party's answer: a field with a default counts as absent when it is null or malformed.

    An answer that was paid for is lost only when a field that nothing can be said without is unreadable.
    What is kept of an answer is small: a hundred items of each list, and of a text what a line or two can show.
    """

    text_chars: ClassVar[int] = 1_000

    @field_validator("*", mode="wrap")
    @classmethod
    def _take_odd_as_absent(cls, value: object, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:  # noqa: ANN401 - whatever the field holds
        try:
            return read(value[: cls.text_chars] if isinstance(value, str) else take_first(value))
        except ValidationError:
            field = cls.model_fields[info.field_name or ""]
            if field.is_required():
                raise
            return field.get_default(call_default_factory=True)


def take_first(value: Any) -> Any:  # noqa: ANN401 - whatever was parsed
    """Return a list's first items, and anything else as it is."""
    return value[:MOST_ITEMS] if isinstance(value, list) else value
