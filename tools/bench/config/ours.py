"""What is timed of `treadle_config`: `load`."""

from collections.abc import Callable, Sequence

from schema import Config

from treadle_config import Codecs, load


def warm() -> Callable[[str, Sequence[str]], Config]:
    """A load that keeps one `Codecs`, and with it the plans of the classes."""
    codecs = Codecs()
    return lambda file, argv: load(Config, file, argv=argv, codecs=codecs)


def cold() -> Callable[[str, Sequence[str]], Config]:
    """A load that plans the classes anew each time."""
    return lambda file, argv: load(Config, file, argv=argv)
