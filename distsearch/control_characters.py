"""Control characters in text that comes from users and files: shown as escapes, they cannot act on a terminal."""

import re

# All of C0 and C1 but tab and newline, DEL, what turns the direction of writing around, and half surrogates, which
# stand for bytes that are not UTF-8.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def escaped(text: str) -> str:
    """The text with its control characters as Python writes them, such as \\x1b."""
    return _ACTING.sub(lambda found: ascii(found[0])[1:-1], text)


def escaped_in_json(text: str) -> str:
    """A text in JSON with its control characters as JSON writes them, such as \\u001b."""
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
