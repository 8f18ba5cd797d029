"""The command: what it makes, what it prints, and that a mistake is one line, exit code 2, and harmless."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

import tain
from tain.registry import Registered, registry
from tain_lab.command import main
from tain_lab.tables import read_table


def snapshot(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def finished(experiment, tmp_path, capsys):
    assert main(["run", str(experiment), "--output", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    return tmp_path / "out"


def mistake(capsys, *arguments):
    """Run a command that must fail, and return its message."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("tain: ")
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    return captured.err


def test_a_run_leaves_samples_models_and_a_report(experiment, tmp_path, capsys):
    assert main(["run", str(experiment), "--output", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "80 rows of 3 columns, 20 held out." in printed
    assert "2 values in 2 rows were on its boundary" in printed
    assert re.search(r"outside the set *│ 0% *│ 100%", printed)
    samples = read_table(tmp_path / "out" / "samples.csv")
    assert samples.columns == ("a", "b", "c")
    assert samples.values.shape == (200, 3)
    assert np.abs(samples.values.astype(np.float32).sum(1) - 1).max() <= 1e-6
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["evaluation"]["rule"]["samples"]["outside"] == 0
    assert report["evaluation"]["rule"]["baseline"]["outside"] > 0.9
    html = (tmp_path / "out" / "report.html").read_text()
    assert html.count("data:image/png;base64,") == 4
    assert "http" not in html
    assert "80 rows" in html
    assert not (tmp_path / "out" / "progress").exists()


def test_a_model_reloads_and_draws_the_samples_of_the_run(finished, tmp_path, capsys):
    assert main(["sample", str(finished), str(tmp_path / "s.csv"), "--count", "200", "--seed", "3"]) == 0
    assert "200 keep the rule" in capsys.readouterr().out
    assert (tmp_path / "s.csv").read_bytes() == (finished / "samples.csv").read_bytes()
    assert isinstance(tain.load(finished / "baseline"), tain.Generator)


def test_the_same_experiment_gives_the_same_files(finished, experiment, tmp_path):
    assert main(["run", str(experiment), "--output", str(tmp_path / "again")]) == 0
    ours, theirs = snapshot(finished), snapshot(tmp_path / "again")
    for name in ("samples.csv", "baseline-samples.csv", "model/generator.safetensors", "model-losses.csv"):
        assert ours[name] == theirs[name]


def test_a_finished_run_is_left_alone_unless_asked(finished, experiment, capsys):
    before = snapshot(finished)
    assert "holds a finished run" in mistake(capsys, "run", experiment, "--output", finished)
    assert snapshot(finished) == before
    assert main(["run", str(experiment), "--output", str(finished), "--overwrite"]) == 0


def test_a_stopped_run_goes_on(finished, experiment, tmp_path, monkeypatch, capsys):
    from tain_lab import run

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "evaluate", stop)
    again = tmp_path / "again"
    assert main(["run", str(experiment), "--output", str(again)]) == 130
    assert "goes on where it was" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(["run", str(experiment), "--output", str(again)]) == 0
    assert "Going on with the run that was stopped" in capsys.readouterr().out
    assert (again / "samples.csv").read_bytes() == (finished / "samples.csv").read_bytes()


def test_an_unfinished_run_of_another_experiment_is_left_alone(finished, experiment, capsys):
    (finished / "run.json").write_text('{"status": "running", "digest": "other"}')
    before = snapshot(finished)
    assert "unfinished run of another experiment" in mistake(capsys, "run", experiment, "--output", finished)
    assert snapshot(finished) == before


def test_a_foreign_folder_is_never_overwritten(experiment, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    message = mistake(capsys, "run", experiment, "--output", tmp_path / "mine", "--overwrite")
    assert "of no run of tain" in message
    (tmp_path / "mine" / "run.json").write_text("{}")
    assert "is no record of a run" in mistake(capsys, "run", experiment, "--output", tmp_path / "mine", "--overwrite")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    assert "is no folder" in mistake(capsys, "run", experiment, "--output", tmp_path / "mine" / "thesis.txt")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("table.csv", "tabel.csv", "no such file. Did you mean: table.csv"),
        ('["a", "b", "c"]', '["a", "b", "d"]', "no column 'd'"),
        ('["a", "b", "c"]', '["a", "b", "name"]', "row 1, column 'name' is 'h0', but must be a number"),
        ('["a", "b", "c"]', '["a", "b"]', "must have (B, 3)"),
        ("rounding = 2e-3", "rounding = 1e-6", "is off the set of Shares by"),
        ("detection_limit = 1e-3", "", "lies on the boundary"),
        ("test-shares", "test-sharse", "No plugin provides a constraint 'test-sharse'. Did you mean: test-shares"),
        ("test-normal", "vector-difusion", "No plugin provides a generator"),
        ("steps = 60", "stpes = 60", "unknown key 'stpes'. Did you mean: steps"),
        ("parts = 3", "parts = 2.5", "'parts' is 2.5"),
    ],
)
def test_a_mistake_is_found_before_anything_is_written(experiment, tmp_path, capsys, old, new, message):
    text = experiment.read_text()
    assert old in text
    experiment.write_text(text.replace(old, new))
    before = snapshot(tmp_path)
    assert message in mistake(capsys, "run", experiment, "--output", tmp_path / "out")
    assert snapshot(tmp_path) == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,c\n", "the table is empty"),
        ("a,b,c\n0.2,0.3,0.5\n", "has 1 row, but at least 2"),
        ("a,b,c\n0.2,0.3,0.5\n-0.1,0.6,0.5\n0.2,0.2,0.6\n", "row 2 (-0.1, 0.6, 0.5) is off"),
        ("a,b,c\n0.2,0.3,0.5\n0.2,0.2,0.4\n", "row 2 (0.2, 0.2, 0.4) is off the set of Shares by 0.2"),
        ("a,b,c\n0.2,0.3,inf\n0.2,0.2,0.6\n", "row 1, column 'c' is inf"),
    ],
)
def test_bad_data_are_found_before_anything_is_written(experiment, tmp_path, capsys, content, message):
    (tmp_path / "table.csv").write_text(content)
    assert message in mistake(capsys, "run", experiment, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_check_shows_the_rows_that_break_a_rule(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("a,b,c\n0.2,0.3,0.5\n0.2,0.3,0.3\n0.2,0.3,0.45\n")
    arguments = ["check", str(tmp_path / "t.csv"), "--constraint", "test-shares", "--set", "parts=3"]
    assert main(arguments) == 1
    printed = capsys.readouterr().out
    assert "3 rows, 2 outside of Shares(parts=3)" in printed
    assert re.search(r"│ 2 +│ 0\.2 .*\n.*│ 3 +│ 0\.05 ", printed)
    assert main([*arguments, "--tolerance", "0.3"]) == 0
    assert main([*arguments, "--rows", "1"]) == 1
    assert "and 1 more" in capsys.readouterr().out


def test_check_takes_an_experiment_with_its_rounding(experiment, capsys):
    assert main(["check", str(experiment)]) == 0
    assert "80 rows, 0 outside" in capsys.readouterr().out
    assert "gives" not in mistake(capsys, "check", experiment, "--constraint", "test-shares")


def test_mistakes_of_check_are_named(experiment, tmp_path, capsys):
    table = tmp_path / "table.csv"
    assert "say which rule" in mistake(capsys, "check", table)
    assert "must be key=value" in mistake(capsys, "check", table, "--constraint", "test-shares", "--set", "parts")
    assert "'parts' is 'x'" in mistake(capsys, "check", table, "--constraint", "test-shares", "--set", "parts=x")
    assert "no column 'z'" in mistake(
        capsys, "check", table, "--constraint", "test-shares", "--set", "parts=3", "--columns", "a,b,z"
    )


def test_mistakes_of_sample_are_named_and_harmless(finished, tmp_path, capsys):
    output = tmp_path / "s.csv"
    output.write_text("precious")
    assert "exists" in mistake(capsys, "sample", finished, output)
    assert output.read_text() == "precious"
    assert "unknown kind of data file" in mistake(capsys, "sample", finished, tmp_path / "s.xyz")
    assert "--count is 0" in mistake(capsys, "sample", finished, tmp_path / "t.csv", "--count", "0")
    assert "no manifest.json" in mistake(capsys, "sample", tmp_path, tmp_path / "t.csv")
    weights = finished / "model" / "generator.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert "sha256" in mistake(capsys, "sample", finished, tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()


def test_show_tells_what_a_component_takes(capsys):
    assert main(["show", "test-shares"]) == 0
    printed = capsys.readouterr().out
    assert "Shares that are at least zero and sum to one." in printed
    assert re.search(r"parts +│ int +│ required", printed)
    assert main(["show"]) == 0
    assert "test-log-ratio" in capsys.readouterr().out
    assert "Did you mean: test-shares" in mistake(capsys, "show", "test-share")


def test_plugins_are_listed_for_people_and_for_programs(capsys):
    assert main(["plugins"]) == 0
    assert "tain-lab" in capsys.readouterr().out
    assert main(["plugins", "--json"]) == 0
    records = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    assert records["lab"]["status"] == "loaded"
    assert "mirrored" in records["tain"]["provides"]["generator"]


def test_known_plugins_that_are_not_installed_are_listed(monkeypatch, capsys):
    soon = Registered("tain-soon", "tain_soon", "nothing yet", status="planned")
    monkeypatch.setattr("tain_lab.tell.registry", lambda: (*registry(), soon))
    assert main(["plugins", "--available"]) == 0
    assert "tain-soon" in capsys.readouterr().out
    assert main(["plugins", "--available", "--json"]) == 0
    records = {record["distribution"]: record for record in json.loads(capsys.readouterr().out)}
    assert "tain-lab" not in records
    assert all(record["install"] in (None, f"pip install {name}") for name, record in records.items())


def test_a_rule_of_one_file_is_used_by_any_command(tmp_path, capsys):
    (tmp_path / "rules.py").write_text(
        "import tain\n@tain.constraint('one-file', event_ndim=1)\ndef one_file(x, total: float = 1.0):\n"
        "    return (x.sum(-1) - total).abs()\n"
    )
    table = tmp_path / "data.csv"
    table.write_text("a,b\n1,2\n1,1\n")
    rule = ["--constraint", "one-file", "--set", "total=3.0"]
    assert "No plugin provides a constraint 'one-file'" in mistake(capsys, "check", str(table), *rule)
    assert main(["check", str(table), *rule, "--plugin", str(tmp_path / "rules.py")]) == 1
    assert "is no file that ends in .py" in mistake(capsys, "plugins", f"--plugin={tmp_path / 'none.py'}")
    assert "is no file that ends in .py" in mistake(capsys, "plugins", "--plugin")


@pytest.mark.parametrize(
    "arguments", [["rnu"], ["run"], ["run", "x.toml", "--outptu", "y"], ["sample", "m", "o", "--count", "x"]]
)
def test_mistyped_commands_are_one_line(capsys, arguments):
    mistake(capsys, *arguments)


def test_a_traceback_is_shown_if_asked_for(tmp_path):
    with pytest.raises(tain.ConfigurationError):
        main(["run", str(tmp_path / "none.toml"), "--traceback"])


def test_help_loads_no_torch():
    code = "import sys; from tain_lab.command import main; main(['--help']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "check" in done.stdout
