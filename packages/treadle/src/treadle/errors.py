"""What can go wrong where the four libraries meet."""


class TreadleError(Exception):
    """The base of this package's errors."""


class MissingExtra(TreadleError):
    """An optional part is asked for and not installed."""

    def __init__(self, wanted: str, extra: str) -> None:
        super().__init__(
            f"{wanted} needs the extra {extra!r}: pip install 'treadle[{extra}]'",
        )


class NotByName(TreadleError):
    """Validation loaders are given without names."""

    def __init__(self, given: object) -> None:
        super().__init__(
            f"validation is a {type(given).__name__}, and loaders by name were expected, since the "
            'name is part of what is logged: write {"val": loader} for val/loss',
        )
