"""`dump`: a config as plain values, or as a file."""

import contextlib
import importlib
import os
import re
import threading
from typing import Any

from treadle_config.codecs import Codecs
from treadle_config.dump_header import Header
from treadle_config.encode import encoded
from treadle_config.errors import DumpError, MissingExtra
from treadle_config.files import JSON_SUFFIXES, YAML_SUFFIXES
from treadle_config.given import planned

_SAFE_TEXT = re.compile(r"[A-Za-z_/][A-Za-z0-9_/.-]*")
_WORDS_OF_YAML = frozenset(
    ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "inf", "nan", "none"]
)


def dump(
    config: Any, path: str | os.PathLike[str] | None = None, *, codecs: Codecs | None = None
) -> dict[str, Any]:
    """Write a config as plain values, and as a file if a path is given.

    `load(type(config), dump(config)) == config`, through the file as well. A config does not
    know where its values came from, so all are pinned; `Resolution.dump` keeps links live and
    records the policy.

    Args:
        config: An instance of an attrs class or a dataclass.
        path: A `.json`, `.yaml` or `.yml` file, replaced in one move if it exists.
        codecs: How types that are not built in are written.

    Returns:
        Dicts, lists, text, numbers, bools and None, with every field in it, links included,
        secrets not. The key `treadle-config` is there where a dict or a list of
        `setting(merge="append")` lacks entries of its default: it names those that are `whole`,
        so that reading adds nothing; where a text would be read as another type of its union,
        under `text`; and where secrets are not as their defaults: it names those
        under `secret`, so that reading asks for them.

    Raises:
        MissingExtra: YAML was asked for and PyYAML is not installed.
        TypeError: The config is none, or the path.
        SchemaError: A field's type cannot be written.
        DumpError: The suffix is none of those, or the folder is not there.
        OSError: The file cannot be written; what was there before still is.
    """
    # Imported here, as many programs never write one.
    from treadle_config.header_paths import added_to, texts_in

    schema, root = planned(config, codecs)
    values: dict[str, Any] = encoded(schema, root, config)
    secret: list[str] = []
    if schema.has_secrets:
        from treadle_config.secret_dumps import left_out

        secret += left_out(schema, root, config, "")
    whole = [*added_to(schema, root, values, values)]
    text = [*texts_in(schema, root, config, values)]
    values |= Header(whole=whole, secret=secret, text=text).written()
    if path is not None:
        write(path, values)
    return values


def json_text(values: Any, encoding: str = "utf-8") -> str:
    """Write plain values as JSON, with python's `Infinity` and `NaN` for what is not finite.

    Where the encoding has no such character, all that is not ASCII is escaped; half a
    surrogate, as in a file name that is no UTF-8, is in none.
    """
    import json

    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(values, indent=2) + "\n"
    return text


def yaml_text(values: Any) -> str:
    """Write plain values as YAML in which all text that could be something else is quoted.

    Raises:
        MissingExtra: PyYAML is not installed.
        DumpError: A text is one that YAML cannot hold.
    """
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError:
        raise MissingExtra(
            "writing YAML needs PyYAML, which is not installed; pip install 'treadle-config[yaml]'"
        ) from None

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]  # imported when it is needed
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise DumpError(
                f"{value!r} holds a lone surrogate, like a file name that is not UTF-8, and "
                "YAML has no way to write it; write a .json file"
            )
        plain = _SAFE_TEXT.fullmatch(value) and value.lower() not in _WORDS_OF_YAML
        style = None if plain else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    written: str = yaml.dump(values, Dumper=Dumper, sort_keys=False, allow_unicode=True)
    return written


def write(name: str | os.PathLike[str], values: dict[str, Any]) -> None:
    """Write plain values as a file, in one move.

    Raises:
        MissingExtra: YAML was asked for and PyYAML is not installed.
        TypeError: It is no path.
        DumpError: The suffix is none that is known, or the folder is not there.
        OSError: The file cannot be written; what was there before still is.
    """
    from pathlib import Path

    if not isinstance(name, str | os.PathLike):
        raise TypeError(f"{name!r} is no path to write to: give one such as 'run.json'")
    path = Path(name)
    suffix = path.suffix.lower()
    if suffix in JSON_SUFFIXES:
        text = json_text(values)
    elif suffix in YAML_SUFFIXES:
        text = yaml_text(values)
    else:
        raise DumpError(
            f"{os.fspath(name) or repr('')} has the suffix {suffix!r}; a config is written as .json, .yaml or .yml"
        )
    if not path.parent.is_dir():
        raise DumpError(f"{path} cannot be written: {path.parent} is no folder; make it first")
    # Beside the file, so that the last step is one move within one file system.
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        # Of the file that was asked for, not of the one beside it.
        raise OSError(error.errno, error.strerror, str(path)) from None
    except ValueError:  # a NUL within
        raise DumpError(f"{str(path)!r} is a path that no file can have") from None
    finally:
        with contextlib.suppress(OSError, ValueError):
            beside.unlink(missing_ok=True)
