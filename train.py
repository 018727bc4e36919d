"""Train, decode, evaluate: `python train.py [overrides]`; see `python train.py --help`."""

import sys

from seq2seq.cli.main import train

if __name__ == "__main__":
    sys.exit(train(sys.argv[1:]))
