import functools
import html
import linecache
import math
import os
import subprocess
import sys
from enum import Enum, Flag
from hashlib import sha256
from textwrap import dedent

import pytest

from treadle_tracking.errors import UnsupportedFunction
from treadle_tracking.functions import described, fenced, reference, source_of

HERE = __name__


def augment(image):
    return image + 1


def logged(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)

    return inner


@logged
def decorated(image):
    return image + 2


class Flip:
    def __call__(self, image):
        return image

    def method(self):
        return 1

    @classmethod
    def named(cls):
        return cls()


class Mirror(Flip):
    pass


class Color(Enum):
    RED = 1


class Parts(Flag):
    HEAD = 1
    TAIL = 2


def made(factor, shift=0):
    def scaled(image, by=1.5):
        return image * factor * by + shift

    return scaled


def test_a_function_is_its_module_and_qualified_name():
    """A function, class or method is `module:qualified.name`, a decorated one the one inside."""
    expected = [
        (augment, "augment"),
        (decorated, "decorated"),
        (functools.lru_cache(augment), "augment"),
        (Flip, "Flip"),
        (Flip.method, "Flip.method"),
        (Flip().method, "Flip.method"),
        (Mirror().method, "Flip.method"),
        (Flip.named, "Flip.named"),
        (Mirror.named, "Mirror.named"),
    ]

    assert [f"{HERE}:{name}" for _, name in expected] == [
        reference(function) for function, _ in expected
    ]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (len, "builtins:len"),
        (int, "builtins:int"),
        (math.sqrt, "math:sqrt"),
        ([].append, "builtins:list.append"),
        (dict.fromkeys, "builtins:dict.fromkeys"),
        (str.upper, "builtins:str.upper"),
        (
            functools.partial(print, "a", 1.5, [None], end=""),
            "partial(builtins:print, 'a', 1.5, [None], end='')",
        ),
        (functools.partial(functools.partial(print, 1), 2), "partial(builtins:print, 1, 2)"),
        (functools.partial(map, len), "partial(builtins:map, builtins:len)"),
        (Color.RED, "RED"),
        (Parts.HEAD | Parts.TAIL, "HEAD|TAIL"),
    ],
)
def test_what_is_built_in_has_a_name_too(function, expected):
    """What is written in C, a partial and a member of an enumeration have texts without an address."""
    assert expected == reference(function)


@pytest.mark.parametrize(
    "value", [3, "text", [], object(), Flip(), list[int], functools.partial(print, object())]
)
def test_what_has_no_stable_form_has_no_reference(value):
    """Values, objects and what holds an object are None."""
    assert reference(value) is None


def test_torchs_constants_are_as_torch_writes_them():
    """A dtype, device, layout and function of torch's own are found by the names that people write."""
    torch = pytest.importorskip("torch", reason="torch is no dependency of treadle-tracking")
    given = [
        torch.float32,
        torch.device("cuda", 1),
        torch.strided,
        torch.relu,
        torch.nn.ReLU,
        torch.ops.aten.add,
    ]

    assert [
        "torch.float32",
        "cuda:1",
        "torch.strided",
        "torch:relu",
        "torch.nn.modules.activation:ReLU",
        "torch.ops.aten.add",
    ] == [reference(value) for value in given]
    assert reference(torch.nn.ReLU()) is None


def test_numpys_dtypes_and_functions_are_named():
    """A dtype is its name, a scalar type and a ufunc are functions."""
    np = pytest.importorskip("numpy", reason="numpy is no dependency of treadle-tracking")

    assert ["float32", "numpy:float32", "numpy:sin"] == [
        reference(value) for value in (np.dtype("float32"), np.float32, np.sin)
    ]


def test_two_lambdas_of_a_line_differ():
    """A lambda has eight digits of its own source, not of the line that it is in."""
    one, other = lambda x: x + 1, lambda x: x + 2
    texts = [reference(one), reference(other)]

    kept = functools.lru_cache(other)

    assert ["lambda x: x + 1", "lambda x: x + 2", "lambda x: x + 2"] == [
        source_of(function) for function in (one, other, kept)
    ]
    assert [
        f"{HERE}:test_two_lambdas_of_a_line_differ.<locals>.<lambda>#{sha256(source.encode()).hexdigest()[:8]}"
        for source in ("lambda x: x + 1", "lambda x: x + 2")
    ] == texts


def test_a_lambda_in_a_lambda_is_itself():
    """Of nested lambdas each is found, whatever lines they are on."""
    outer = lambda a: (  # noqa: E731
        lambda b: a
        + b
    )  # fmt: skip

    assert "lambda b: a\n        + b" == source_of(outer(1))
    assert source_of(outer).startswith("lambda a: (")


def test_a_function_made_of_other_values_is_another():
    """What a function took from around it, and its defaults, tell two of one source apart."""
    texts = [reference(function) for function in (made(1), made(2), made(1, 3), made(augment))]

    assert 4 == len(set(texts))
    assert texts == [
        reference(function) for function in (made(1), made(2), made(1, 3), made(augment))
    ]


def test_a_description_has_the_source_and_its_digest():
    """The source is without its indentation, and the digest is that of its UTF-8."""
    qualified_name, source, digest = described("augment", augment)

    assert f"{HERE}:augment" == qualified_name
    assert "def augment(image):\n    return image + 1\n" == source
    assert sha256(source.encode()).hexdigest() == digest


@pytest.mark.parametrize(
    ("function", "qualified_name", "begins"),
    [
        (decorated, "decorated", "@logged\ndef decorated("),
        (Flip, "Flip", "class Flip:"),
        (Flip(), "Flip", "class Flip:"),
        (Flip().method, "Flip.method", "def method(self):"),
        (Mirror.named, "Mirror.named", "@classmethod\ndef named("),
    ],
)
def test_whatever_can_be_called_is_described(function, qualified_name, begins):
    """A decorated function is described with its decorator, an object by its class, a method by its function."""
    found, source, _ = described("f", function)

    assert f"{HERE}:{qualified_name}" == found
    assert source.startswith(begins)


def test_a_partial_is_described_by_its_function():
    """A partial has the source of its function; what it holds is in its name, if that has a stable text."""
    whole = described("f", functools.partial(augment, 1))
    part = described("f", functools.partial(augment, object()))

    assert f"partial({HERE}:augment, 1)" == whole[0]
    assert f"partial({HERE}:augment, …)" == part[0]
    assert described("f", augment)[1:] == whole[1:] == part[1:]


def test_source_is_shown_as_it_is():
    """As a block of code nothing of a source is taken for Markdown by TensorBoard, not even a block inside it."""
    plugin_util = pytest.importorskip(
        "tensorboard.plugin_util", reason="needs the extra treadle-tracking[tensorboard]"
    )
    source = (
        '# not a heading\nclass A:\n    """\n```\n<b>\n```\n    """\n\n    def __init__(self): ...'
    )
    shown = plugin_util.markdown_to_safe_html(fenced(source))
    code = shown.partition("<code>")[2].partition("</code>")[0]

    assert source == html.unescape(code).rstrip()


def test_what_has_no_source_is_described_without():
    """What is built in, or was made from a text, has a name alone."""
    scope = {"__name__": "typed"}
    exec("def typed(x): return x in {'a', 'b', 'c'}\nf = lambda x: x in {'a', 'b', 'c'}", scope)

    assert ("builtins:len", None, None) == described("f", len)
    assert ("typed:typed", None, None) == described("f", scope["typed"])
    assert reference(scope["f"]).startswith("typed:<lambda>#")


def test_the_program_of_a_command_line_is_not_the_source_of_what_exec_makes(monkeypatch):
    """From Python 3.13 on, `python -c` keeps its text under the file name that every text of `exec` has."""
    program = "import train; train.main()\n"
    monkeypatch.setitem(linecache.cache, "<string>", (len(program), None, [program], "<string>"))
    scope = {"__name__": "typed"}
    exec("def typed(x): return x", scope)

    assert ("typed:typed", None, None) == described("f", scope["typed"])


def test_what_cannot_be_called_is_an_error():
    """The message says what was given, and where values go."""
    with pytest.raises(UnsupportedFunction) as caught:
        described("augment", 3)

    assert (
        "the function 'augment' is 3 (int); expected a function, a class, or another object that can be called. For a "
        "value, use `run.json`"
    ) == str(caught.value)


SCRIPT = dedent(
    """
    import functools, sys
    from treadle_tracking.functions import described, reference

    def augment(image, by=2): return image in {"a", "b", "c"}
    class Model:
        def step(self): ...
    def made(scale):
        return lambda image: image * scale
    VALUES = [augment, Model, Model().step, made(2), made(3), lambda x: {x, "d", "e"}, functools.partial(augment, by=3)]
    exec("TYPED = lambda x: x in {'a', 'b', 'c', 'd'}")
    def texts():
        return [*map(reference, VALUES), *(described("f", one)[0] for one in VALUES), reference(TYPED)]
    if __name__ == "__main__":
        print("\\n".join(texts()))
    """
)


def test_two_processes_say_the_same(tmp_path):
    """A script, the same run as a module and imported, give one text each, whatever the seed of their hashes."""
    (tmp_path / "train.py").write_text(SCRIPT)
    ways = [
        ["train.py"],
        [str(tmp_path / "train.py")],
        ["-m", "train"],
        ["-c", "import train; print('\\n'.join(train.texts()))"],
    ]
    said = [
        subprocess.run(
            [sys.executable, *way],
            cwd=tmp_path,
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.splitlines()
        for seed, way in enumerate(ways)
    ]
    names = [text.partition("#")[0] for text in said[0][:7]]

    assert [said[0]] * 4 == said
    assert [
        "train:augment",
        "train:Model",
        "train:Model.step",
        "train:made.<locals>.<lambda>",
        "train:made.<locals>.<lambda>",
        "train:<lambda>",
        "partial(train:augment, by=3)",
    ] == names
    assert said[0][3] != said[0][4]
    assert not any("0x" in text for text in said[0])
