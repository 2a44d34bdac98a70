"""What is wrong with a key that is no field, and what it was probably meant to be."""

from treadle_config.errors import Problem
from treadle_config.forms import hydra_form
from treadle_config.include import INCLUDE
from treadle_config.paths import choosing, known_paths
from treadle_config.plans import Choice, Plan
from treadle_config.schema import Schema
from treadle_config.suggestions import did_you_mean, nearest, nearest_path
from treadle_config.tags import tag_of
from treadle_config.tree import MASK, Node, Source, is_null, join
from treadle_config.unannotated import unannotated


class UnknownFields:
    """Tells of the keys that no class has.

    Args:
        schema: Where classes are planned.
        root: The plan of the config, among whose paths the right one may be.
    """

    def __init__(self, schema: Schema, root: Plan) -> None:
        self._schema = schema
        self._root = root

    def problem(
        self, cls: type, choice: Choice, key: str, child: Node, path: str, *, suggests: bool
    ) -> Problem:
        """The problem of one key.

        Args:
            cls: The class that is built.
            choice: The classes that may stand there.
            key: What is no field of it.
            child: What was given for that.
            path: Where the object stands.
            suggests: Whether to look for what was meant, which takes long.
        """
        where, source = join(path, key), _first_source(child)
        hint = self._of_another(cls, choice, key, path, source) if suggests else ""
        hint = hint or self._misplaced(cls, key, path, source)
        hint = hint or hydra_form(key, choice, path, child)
        hint = hint or (self._meant(cls, key, path, source) if suggests else "")
        if self._schema.fields_of(cls).has_secrets and is_null(child.content):
            # A lone text where a mapping is wanted, as in `{hunter2}`, was meant as a value.
            where, key = join(path, MASK), MASK
            hint = hint if hint.startswith("did you mean ") else ""
        return Problem(where, source, repr(key), f"a field of {cls.__name__}", hint)

    def _of_another(self, cls: type, choice: Choice, key: str, path: str, source: Source) -> str:
        """How to choose the class that has such a field, if one has."""
        for other in self._schema.planned_classes(choice):
            if other.cls is not cls and key in other:
                chosen = choosing(path, tag_of(other.cls), source)
                return f"{key} is a field of {other.cls.__name__}; choose it with {chosen}"
        return ""

    def _misplaced(self, cls: type, key: str, path: str, source: Source) -> str:
        """Where to put what means something, and not there."""
        if key == INCLUDE and path and source.kind == "file":
            toml = source.name.lower().endswith(".toml")
            return f"it belongs at the top of a file{', before the first [table]' if toml else ''}"
        if "[" in key and key.partition("[")[0] in self._schema.fields_of(cls):
            return "an index is for the command line; give the whole list"
        return unannotated(cls, key)

    def _meant(self, cls: type, key: str, path: str, source: Source) -> str:
        """What the key was probably meant to be."""
        fields, where = self._schema.fields_of(cls), join(path, key)
        # What it lies within was found, so that is not what was meant.
        known = [
            one
            for one in known_paths(self._schema, self._root)
            if not where.startswith((f"{one}.", f"{one}["))
        ]
        best = nearest_path(where, known)
        in_code = source.kind in ("code", "layer")
        if not in_code and "." in key and key.partition(".")[0] in fields:
            inner = (best or where).removeprefix(f"{path}.")
            steps = [f"`{one}:`" for one in (inner if "." in inner else key).split(".")]
            return f"write it nested, {' and below it '.join(steps)}; dotted keys are for code"
        own = nearest(key, fields)
        return did_you_mean(best if own is None else join(path, own))


def _first_source(node: Node) -> Source:
    while isinstance(node.content, dict) and node.content:
        node = next(iter(node.content.values()))
    return node.source
