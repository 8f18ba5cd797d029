"""`tain simulate` and the hook behind it: what is written, what is told, and that a broken plugin harms nobody."""

import json
import types

import numpy as np
import pytest
import torch

import tain
from tain import catalogue
from tain.plugin_record import Plugin
from tain.plugins import PluginHost
from tain_lab.command import main
from tain_lab.datasets import create_dataset, dataset_records, find_dataset


class Whole(tain.Constraint):
    """Numbers without a fraction."""

    event_ndim = 1

    def distance(self, x):
        return (x - x.round()).abs().sum(-1)


class Dice(tain.Configured):
    """Throws of dice; some dice are worn."""

    def __init__(self, dice: int = 2, sides: int = 6, worn: float = 0.0):
        super().__init__()
        if sides == 13:
            raise RuntimeError("unlucky")
        self.event_shape, self.sides, self.worn = (dice,), sides, worn

    @property
    def constraint(self):
        return Whole()

    def simulate(self, n, *, rng=None, first=0):
        rows = [torch.Generator().manual_seed(1000 * rng + row) for row in range(first, first + n)]
        throws = torch.stack([torch.randint(1, self.sides + 1, self.event_shape, generator=row) for row in rows])
        return throws[:, : 1 if self.sides == 7 else None] + self.worn * (torch.arange(first, first + n) == 70)[:, None]


def plugin(name, *records):
    """A plugin of one hook; what is no record is raised."""
    module = types.ModuleType(name)

    @tain.hookimpl(optionalhook=True)
    def tain_datasets():
        for record in records:
            if isinstance(record, Exception):
                raise record
            yield record

    module.tain_datasets = tain_datasets
    return Plugin(name, f"tain-{name}", "2.0", module=module)


@pytest.fixture
def host(monkeypatch):
    """A host that knows the dice, and takes more plugins."""
    made = PluginHost(found=(), environment={})
    made.add(plugin("dice", tain.Component("dice", Dice, summary="throws of dice")))
    monkeypatch.setattr(catalogue, "host", lambda: made)
    return made


def simulate(*arguments):
    return main(["simulate", *map(str, arguments)])


def mistake(capsys, *arguments):
    assert simulate(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tain: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_it_writes_rows_and_how_they_were_made(host, tmp_path, capsys):
    file = tmp_path / "throws.npy"
    assert simulate("dice", "--rows", 150, "--seed", 3, "--set", "sides=4", "--set", "dice=3", "--out", file) == 0
    rows = np.load(file)
    assert rows.shape == (150, 3)
    assert rows.dtype == np.float32
    assert torch.from_numpy(rows).equal(Dice(3, 4).simulate(150, rng=3).float())
    record = json.loads((tmp_path / "throws.json").read_text())
    assert record["dataset"] == "dice"
    assert record["options"] == {"dice": 3, "sides": 4, "worn": 0.0}
    assert record["seed"] == 3
    assert record["shape"] == [150, 3]
    assert record["rule"] == "Whole()"
    assert record["largest_distance"] == 0
    assert record["rows_outside"] == 0
    assert record["versions"]["tain-dice"] == "2.0"
    assert record["versions"]["torch"] == torch.__version__
    told = capsys.readouterr().out
    assert "150 rows of dice" in told
    assert "(150, 3), float32" in told
    assert "Whole(): largest distance 0, 0 rows beyond" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["throws.json", "throws.npy"]


def test_fewer_rows_are_the_first_of_more(host, tmp_path):
    for rows in (5, 200):
        assert simulate("dice", "--rows", rows, "--out", tmp_path / f"{rows}.npy") == 0
    assert (np.load(tmp_path / "5.npy") == np.load(tmp_path / "200.npy")[:5]).all()


def test_rows_that_break_the_rule_are_told(host, tmp_path, capsys):
    assert simulate("dice", "--rows", 100, "--set", "worn=0.25", "--out", tmp_path / "a.npy") == 0
    assert "largest distance 0.5, 1 rows beyond" in capsys.readouterr().out
    record = json.loads((tmp_path / "a.json").read_text())
    assert (record["largest_distance"], record["rows_outside"]) == (0.5, 1)


def test_rows_that_are_no_numbers_are_told(host, tmp_path, capsys):
    assert simulate("dice", "--rows", 200, "--set", "worn=nan", "--out", tmp_path / "a.npy") == 2
    assert "must be a number" in capsys.readouterr().err
    assert simulate("dice", "--rows", 200, "--set", "worn=inf", "--out", tmp_path / "a.npy") == 0
    assert "largest distance nan, 200 rows beyond" in capsys.readouterr().out  # 0 times infinity
    assert json.loads((tmp_path / "a.json").read_text())["largest_distance"] == {"$float": "nan"}


def test_files_are_replaced_only_when_told(host, tmp_path, capsys):
    file = tmp_path / "a.npy"
    assert simulate("dice", "--rows", 5, "--out", file) == 0
    before = file.read_bytes()
    capsys.readouterr()
    assert "a.npy: exists. Give another file, or --overwrite" in mistake(capsys, "dice", "--rows", 6, "--out", file)
    assert file.read_bytes() == before
    assert simulate("dice", "--rows", 6, "--out", file, "--overwrite") == 0
    assert len(np.load(file)) == 6
    file.unlink()
    capsys.readouterr()
    assert "a.json: exists" in mistake(capsys, "dice", "--out", file)


def test_without_a_name_it_lists_all_with_their_options(host, capsys):
    assert simulate() == 0
    listed = " ".join(capsys.readouterr().out.split())
    assert "dice" in listed
    assert "sides=6" in listed
    assert "tain-dice" in listed


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("dise",), "No plugin provides a data set 'dise'. Did you mean: dice?"),
        (("dice", "--set", "side=3"), "data set 'dice': unknown key 'side'. Did you mean: sides?"),
        (("dice", "--set", "sides=four"), "'sides' is 'four' (str), but must be an int"),
        (("dice", "--set", "sides"), "must be key=value"),
        (("dice", "--set", "sides=13"), "could not be made (RuntimeError: unlucky)"),
        (("dice", "--set", "sides=7"), "Dice.simulate: returned shape (64, 1), but must return a tensor (64, 2)"),
        (("dice", "--rows", 0), "--rows is 0, but must be at least 1"),
        (("dice", "--seed", -1), "--seed is -1, but must be at least 0"),
        (("dice", "--out", "a.csv"), "the name must end in .npy"),
        (("dice", "--out", "nowhere/a.npy"), "nowhere: no such folder"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(host, tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    assert says in mistake(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_two_of_one_name_are_refused_unless_one_is_preferred(host):
    host.add(plugin("other", tain.Component("dice", Dice)))
    with pytest.raises(tain.DuplicateNameError, match=r"'dice': tain-dice, tain-other\. Prefer one with TAIN_PREFER="):
        find_dataset("dice")
    host.preferred = frozenset({"tain-other"})
    assert find_dataset("dice")[0].distribution == "tain-other"


class Unruled(tain.Configured):
    def simulate(self, n, *, rng=None, first=0):
        return torch.zeros(n, 1)


@pytest.mark.parametrize(
    ("records", "cause"),
    [
        ((ValueError("no such file"),), "tain_datasets: ValueError: no such file"),
        ((tain.Component("coins", Dice), RuntimeError("late")), "RuntimeError: late"),
        ((3,), "gave 3 instead of a tain.Component record"),
        ((tain.Component("coins", dict),), "dict cannot be the data set 'coins': it is no tain.Configured"),
        ((tain.Component("coins", Unruled),), "Unruled cannot be the data set 'coins': it lacks constraint"),
        ((tain.Component("coins", Dice), tain.Component("coins", Dice)), "gave two data sets the name 'coins'"),
    ],
)
def test_a_broken_plugin_is_told_and_harms_no_other(host, records, cause):
    broken = plugin("coins", *records)
    host.add(broken)
    assert [record.name for _, record in dataset_records()] == ["dice"]
    assert broken.status == "broken"
    assert cause in broken.cause
    assert create_dataset("dice", {"sides": 4}).sides == 4
    with pytest.raises(tain.UnknownNameError) as caught:
        find_dataset("coins")
    assert "tain-coins is broken" in str(caught.value)


def test_a_hook_that_asks_for_what_nobody_gives_is_broken(host):
    module = types.ModuleType("asking")

    @tain.hookimpl(optionalhook=True)
    def tain_datasets(size):
        yield tain.Component("coins", Dice)

    module.tain_datasets = tain_datasets
    asking = Plugin("asking", "tain-asking", "1", module=module)
    host.add(asking)
    assert [record.name for _, record in dataset_records()] == ["dice"]
    assert "tain_datasets" in asking.cause
    assert asking.status == "broken"
