"""A visitor's steps in the set that is open: taken back, and done again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from geo.editing import EditReport, Step, Steps, redo_step, undo_step
from geo.site import Correction
from geo.ui.actions.answer import Action, answer, words
from geo.ui.address import current_dataset
from geo.ui.library import get_library
from geo.ui.people import page_access, page_store


def _steps() -> Steps:
    """Return this visitor's steps in the set that is open."""
    state, name = st.session_state, f"steps_{current_dataset()}"
    if name not in state:
        state[name] = Steps()
    steps: Steps = state[name]
    return steps


def next_step_id() -> int:
    """Return the id for this visitor's next step."""
    return _steps().next_id()


def undo_and_redo() -> dict[str, str]:
    """Return the names of what would be undone and redone next, "" for nothing."""
    undo, redo = _steps().to_undo(), _steps().to_redo()
    return {"undo": undo.name if undo else "", "redo": redo.name if redo else ""}


def did(step: Step | None) -> int:
    """Remember a step; return the number its undo is asked by, 0 for none."""
    if step is None:
        return 0
    _steps().did(step)
    return step.step_id


def did_place(kept: Sequence[Correction]) -> int:
    """Remember a placing of some sites as one step; return the number its undo is asked by, 0 for none."""
    if not kept:
        return 0
    return did(Step(next_step_id(), kept[0].name, corrections=tuple(kept)))


def undo(asked: Action) -> None:
    """Take a step back: the newest, or the one that is asked for."""
    step = _steps().to_undo(_step_id(asked)) or _last_placing(asked)
    if step is None:
        answer(False, words("place")["nothing"])
        return
    report = _go(undo_step, step)
    _steps().took_back(step, report.step)
    _tell_stepped("undone", step, report, redo=step.step_id)


def redo(asked: Action) -> None:
    """Do a step again: the one taken back last, or the one that is asked for."""
    step = _steps().to_redo(_step_id(asked))
    if step is None:
        answer(False, words("place")["nothing_again"])
        return
    report = _go(redo_step, step)
    _steps().did_again(step, report.step)
    _tell_stepped("redone", step, report, undo=step.step_id)


def _go(way: Callable[..., EditReport], step: Step) -> EditReport:
    store, categories = page_store(current_dataset()), get_library().categories
    return way(store, step, who=page_access().name, categories=categories)


def _step_id(asked: Action) -> int | None:
    given = asked.get("step")
    return given if isinstance(given, int) and given > 0 else None


def _last_placing(asked: Action) -> Step | None:
    """Return this person's newest placing that holds, from before the page was opened."""
    if asked.get("placing") is not True:
        return None
    me = page_access().name
    held = page_store(current_dataset()).corrections()
    mine = next((one for one in held if one.who == me), None)
    return None if mine is None else Step(next_step_id(), mine.name, corrections=(mine,))


def _tell_stepped(key: str, step: Step, report: EditReport, **more: int) -> None:
    said = words("place")
    done = report.step
    if done is None:
        answer(False, said["all_theirs"].format(name=step.name))
        return
    message = said[key].format(name=step.name)
    if step.count > 1:
        message = said[f"{key}_many"].format(n=done.count)
    if report.left:
        message += said["left_theirs"].format(n=len(report.left))
    answer(True, message, stepped=True, **more)
