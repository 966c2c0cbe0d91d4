"""The base class of every value that is passed around."""

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """A value: once made, it never changes."""

    model_config = ConfigDict(frozen=True)
