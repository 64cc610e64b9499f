"""`python -m dataops.cli`: the same as the `dataops` command."""

import sys

from dataops.cli.main import main

sys.exit(main())
