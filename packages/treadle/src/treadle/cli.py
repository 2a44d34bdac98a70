"""The `treadle` command: which words it knows, and where each leads."""

import errno
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.metadata import version

USAGE = """\
usage: treadle COMMAND [ARGUMENTS]

  demo        train a small network on handwritten digits; `treadle demo --help` says what can be set
  demo text   train a small GPT on Python's reference manual; `treadle demo text --help` likewise
  runs        list, search, compare, plot, export, copy and look after runs; `treadle runs --help` lists it all

  --help      this text
  --version   the versions of treadle and of its four libraries
"""
WORDS = ["demo", "runs", "--help", "--version"]
PACKAGES = ["treadle", *(f"treadle-{name}" for name in ("units", "config", "loop", "tracking"))]
DEMOS = ["digits", "text"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line given, or that of the process; leaves with code 2 where it cannot be understood."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        _dispatch(words)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("treadle: interrupted\n")
        sys.exit(130)  # what a shell gives for SIGINT
    except BrokenPipeError:  # `treadle ... | head`
        _abandon_stdout()
        sys.exit(141)  # what a shell gives for SIGPIPE
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.stderr.write(f"treadle: {error.strerror}\n")
        _abandon_stdout()
        sys.exit(1)


def _abandon_stdout() -> None:
    """Let what cannot be written go: the interpreter flushes once more when it ends, and would say so on stderr."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(words: Sequence[str]) -> None:
    match words:
        case ["demo", "text", *rest]:
            from treadle.demo.text.command import demo as demo_text

            demo_text(rest)
        case ["demo", word, *_] if word != "digits" and not word.startswith("-"):
            sys.stderr.write(
                f"treadle: there is no demo {word!r}; there are {' and '.join(DEMOS)}\n"
            )
            sys.exit(2)
        case ["demo", "digits", *rest] | ["demo", *rest]:
            from treadle.demo.command import demo

            demo(rest)
        case [] | ["-h" | "--help", *_]:
            sys.stdout.write(USAGE)
        case ["runs", *rest]:
            from treadle_tracking.commands import main as runs

            sys.exit(runs(rest, program="treadle runs"))
        case ["--version"]:
            sys.stdout.writelines(f"{package} {version(package)}\n" for package in PACKAGES)
        case [word, *_]:
            [*near] = get_close_matches(word, WORDS, n=1)
            hint = f"did you mean `treadle {near[0]}`?" if near else "`treadle --help` lists them."
            sys.stderr.write(f"treadle: there is no command {word!r}; {hint}\n")
            sys.exit(2)
