"""The vocabulary that every part of the program shares; it needs only the standard library, pydantic and babel."""
