"""Third parties' answers, parsed leniently: an optional field that is malformed does not cost the fields we need."""

from typing import Any

from pydantic import BaseModel, ValidationError, ValidationInfo, ValidatorFunctionWrapHandler, field_validator


class ForeignModel(BaseModel):
    """A part of a third party's answer: a field with a default counts as absent when it is null or malformed.

    An answer that was paid for is lost only when a field that nothing can be said without is unreadable.
    """

    @field_validator("*", mode="wrap")
    @classmethod
    def _take_odd_as_absent(cls, value: object, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:  # noqa: ANN401 - whatever the field holds
        try:
            return read(value)
        except ValidationError:
            field = cls.model_fields[info.field_name or ""]
            if field.is_required():
                raise
            return field.get_default(call_default_factory=True)
