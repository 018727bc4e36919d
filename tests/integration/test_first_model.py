"""benchmarks/first_model.py: its commands are understood, and no complete run is repeated."""

import importlib.util
import json
import sys
from pathlib import Path

from seq2seq.config import compose

ROOT = Path(__file__).parents[2]


def load_script():
    spec = importlib.util.spec_from_file_location("first_model", ROOT / "benchmarks/first_model.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_the_table_has_a_line_for_each_model_and_no_run_is_repeated(tmp_path, monkeypatch, capsys):
    script, configs = load_script(), []

    def measure(path, overrides):
        """A made-up run."""
        configs.append(compose(overrides))
        summary = {"parameters": 1000, "train": {"seconds": 2.5}}
        summary |= {"validation": {"exact_match": 0.75}, "test": {"exact_match": 0.5}}
        path.mkdir()
        (path / "summary.json").write_text(json.dumps(summary))
        return 3.0

    monkeypatch.setattr(script, "measure", measure)
    arguments = ["first_model.py", f"{tmp_path}", "fre", "inflection", "-o", f"{tmp_path}/out"]
    for seeds in (["0"], ["0", "1"]):
        monkeypatch.setattr(sys, "argv", [*arguments, "--seeds", *seeds])
        script.main()
    table = capsys.readouterr().out.splitlines()[-4:]
    assert [line.split("|")[1].strip() for line in table] == ["fre", "fre"] + ["inflection"] * 2
    assert all("| 50.00%, 50.00% " in line and "| 3-3 s |" in line for line in table)
    chosen = [(c["names"]["task"], c["names"]["model"], c["seed"]) for c in configs]
    assert len(chosen) == len(set(chosen)) == 8 and ("inflection", "lstm", 1) in chosen
    assert configs[0]["task"]["validation"] == f"{tmp_path}/fre_dev.tsv"
