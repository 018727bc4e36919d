"""Configurations are found beside the package or inside of it."""

from seq2seq.runtime.paths import CONFIGS, EXPERIMENTS, PACKAGE


def test_configurations_are_found():
    assert (CONFIGS / "train.yaml").is_file()
    assert CONFIGS.parent in (PACKAGE, PACKAGE.parent)


def test_every_experiment_has_a_file():
    assert "scan_length" in EXPERIMENTS and [*EXPERIMENTS] == sorted(EXPERIMENTS)
    files = {path.name for path in (CONFIGS / "experiment").glob("*.yaml")}
    assert files == {f"{name}.yaml" for name in EXPERIMENTS}
