"""Whatever a value holds, it must come out of a Folium page as the same value, and as nothing else."""

import json

import pytest
from branca.element import Element, Figure
from hypothesis import given
from hypothesis import strategies as st

from geo.draw.escape import script_json

HOSTILE = "<img src=x onerror=alert(1)>{{7*7}}{# ${x} ` D:\\users </script>{% raw %}\u2028'\""
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_the_value_comes_back_from_its_json(value):
    assert json.loads(script_json(value)) == value


@given(st.text())
def test_no_character_that_opens_anything_is_left_in_a_string(text):
    written = script_json(text)[1:-1]
    assert written.isascii()
    assert not set(written) & set("{}<>&%#'`$")


def test_rendering_twice_as_a_template_changes_nothing():
    written = script_json({"name": HOSTILE, "nested": {"deep": [HOSTILE, {}]}})
    figure = Figure()
    figure.html.add_child(Element(Element(written).render()))
    assert written in figure.render()


def test_a_number_that_json_has_no_word_for_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        script_json({"x": float("nan")})
