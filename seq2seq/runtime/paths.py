"""Paths of the configurations of the package."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
# In a wheel they lie inside the package, in a checkout beside it.
CONFIGS = next(
    (path for path in (PACKAGE / "configs", PACKAGE.parent / "configs") if path.is_dir()),
    PACKAGE / "configs",
)
EXPERIMENTS = sorted(path.stem for path in CONFIGS.glob("experiment/*.yaml"))
