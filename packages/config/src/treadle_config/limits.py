"""How large a file may be: far beyond any config, far below what hurts.

Composing a million YAML nodes takes nearly half a gigabyte, and libyaml's composer recurses
in C: a hundred thousand open brackets end the process.
"""

LARGEST_FILE = 10_000_000
"""Bytes."""
MOST_NODES = 200_000
"""Values, aliases counted as often as they are used."""
DEEPEST = 100
"""Levels of nesting."""
