"""The module `numpy_runtime`, made from the bundle that `seq2seq export` writes."""

import sys
import types

from seq2seq.export.bundle import FILE_NAME, make_bundle

numpy_runtime = types.ModuleType("numpy_runtime")
sys.modules["numpy_runtime"] = numpy_runtime  # dataclasses and NamedTuples look it up
exec(compile(make_bundle(), FILE_NAME, "exec"), numpy_runtime.__dict__)
