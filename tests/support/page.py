"""What the deployed page sends to a function, and what it makes of the `error` of an answer."""

from enum import StrEnum

ORIGIN = "https://emocare-hq.example"
HEADERS = {
    "origin": ORIGIN,
    "authorization": "Bearer a-token",
    "apikey": "the-key-of-the-page",
    "x-client-info": "supabase-js-web/2.93.3",
}


class Toast(StrEnum):
    """What the president reads."""

    SESSION_EXPIRED = "the page's words: sign in again"
    NOT_PERMITTED = "the page's words: not permitted"
    LIMIT_REACHED = "the page's words: too many requests"
    MODEL_DOWN = "the page's words: the model is down, retry in a minute"
    SERVER_ERROR = "the page's words: server error"
    SENTENCE = "the sentence itself"


# In this order; the first word that is found decides.
WORDS = [
    ("401", Toast.SESSION_EXPIRED),
    ("Authorization", Toast.SESSION_EXPIRED),
    ("403", Toast.NOT_PERMITTED),
    ("Permissions", Toast.NOT_PERMITTED),
    ("429", Toast.LIMIT_REACHED),
    ("Limite", Toast.LIMIT_REACHED),
    ("503", Toast.MODEL_DOWN),
    ("breaker_open", Toast.MODEL_DOWN),
    ("unavailable", Toast.MODEL_DOWN),
    ("500", Toast.SERVER_ERROR),
]


def choose_toast(error: str) -> Toast:
    """Choose as the page does after a launch."""
    return next((toast for word, toast in WORDS if word in error), Toast.SENTENCE)
