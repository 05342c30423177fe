"""A day is written one way everywhere, and whoever asked for it says which error that is not."""

from datetime import date

import pytest

from geo.day import read_day
from geo.errors import FilterError, SiteMapError


@pytest.mark.parametrize(("text", "day"), [("2020-02-29", date(2020, 2, 29)), ("", None)])
def test_a_day_is_read_and_nothing_is_no_day(text, day):
    assert read_day(text) == day


@pytest.mark.parametrize("text", ["2020-02-30", "11.3.2020", " ", "3月11日", "2020-03-11T08:00"])
def test_what_is_no_day_is_told(text):
    with pytest.raises(SiteMapError) as refused:
        read_day(text)
    assert str(refused.value) == f'"{text}" is not a day like 2020-03-11'


def test_the_message_names_who_said_it_and_is_cut():
    with pytest.raises(FilterError) as refused:
        read_day("x" * 1000, name="until", refuse=FilterError)
    assert str(refused.value) == f"until={'x' * 40} is not a day like 2020-03-11"
