"""The vocabulary that every part of the programme shares; it needs the standard library and pydantic only."""
