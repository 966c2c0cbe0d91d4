"""What every value that is passed around has in common."""

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """A value: once made, it never changes."""

    model_config = ConfigDict(frozen=True)
