"""Every component has examples, through which `pytest --tain-conformance` tests it."""

import tain
from tain_analytic.examples import EXAMPLES


def test_every_component_has_examples_of_its_class():
    entries = [entry for entry in tain.entries() if entry.plugin.distribution == "tain-analytic"]
    assert {entry.name for entry in entries} == set(EXAMPLES)
    for entry in entries:
        examples = list(entry.component.examples())
        assert examples
        assert all(type(example) is entry.target for example in examples)
