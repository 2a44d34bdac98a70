"""`python -m treadle_tracking`."""

import sys

if __name__ == "__main__":
    try:
        from treadle_tracking.commands import main

        code = main(sys.argv[1:])
    except KeyboardInterrupt:  # before the program is there that would say it
        sys.stderr.write("treadle: interrupted\n")
        code = 130
    sys.exit(code)
