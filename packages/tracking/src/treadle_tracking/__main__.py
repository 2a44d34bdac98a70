"""`python -m treadle_tracking`."""

import sys

from treadle_tracking.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
