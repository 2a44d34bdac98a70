"""What programs hand to several functions, checked: codecs, and configs."""

from typing import Any

from treadle_config.codecs import Codecs
from treadle_config.fields import is_class
from treadle_config.plans import Plan
from treadle_config.schema import Schema


def given_codecs(codecs: Codecs | None) -> Codecs:
    """The codecs that a program gave, or new ones.

    Raises:
        TypeError: They are none.
    """
    if codecs is None:
        return Codecs()
    if not isinstance(codecs, Codecs):
        raise TypeError(f"codecs={codecs!r}: give an instance, as in codecs=Codecs()")
    return codecs


def planned(config: Any, codecs: Codecs | None) -> tuple[Schema, Plan]:
    """Where the classes of a config that a program gave are planned, and its plan.

    Raises:
        TypeError: It is no config, or the codecs are none.
        SchemaError: Its class cannot serve as a schema.
    """
    schema = given_codecs(codecs).schema
    kind: Any = type(config)
    if not is_class(kind):
        said = f"an object of type {kind.__name__}"
        way = "an instance of an attrs class or a dataclass"
        if isinstance(config, type):
            said, way = f"the class {config.__name__}", "an instance of it"
        elif is_class(type(getattr(config, "config", None))):
            way = "its .config"
        elif kind.__module__ != "builtins":
            way += ": put @frozen of attrs above the class"
        raise TypeError(f"{said} is no config; give {way}")
    return schema, schema.root(kind)
