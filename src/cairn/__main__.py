"""`python -m cairn` is `cairn`."""

import sys

from cairn.cli.main import main

sys.exit(main())
