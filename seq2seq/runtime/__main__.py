"""`python -m seq2seq.runtime RUN < sources > answers`: predictions with NumPy only."""

import sys

from seq2seq.runtime.command_line import main

sys.exit(main())
