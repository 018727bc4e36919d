"""Command line: a verb of `seq2seq` a file."""
