"""How does text that others may have written get onto a terminal? Without anything that the terminal would obey."""

import sys


def write_plain(text: str) -> None:
    """Write `text` to standard output; of what can't be printed only line breaks are left.

    Reasons of people, messages of servers and trainers, terms of SMS: each could hold an escape sequence.
    """
    sys.stdout.write("".join(each if each.isprintable() or each == "\n" else " " for each in text))
