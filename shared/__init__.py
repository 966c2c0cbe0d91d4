"""The vocabulary that every part of the program shares; it needs the standard library, pydantic and babel only."""
