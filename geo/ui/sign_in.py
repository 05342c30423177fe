"""The door of the page: who is let in, what the others are told, and who is signed in."""

from __future__ import annotations

from typing import Any

import streamlit as st

from geo.access import Person, Right, Role, SignInError
from geo.ui.library import get_library
from geo.ui.people import page_person
from geo.ui.people_panel import show_people
from geo.ui.server import plain


def let_in(words: dict[str, Any]) -> Person | None:
    """Return who the page is for, or tell why not and return None.

    Parameters
    ----------
    words
        The section `people` of the page's language.
    """
    try:
        person = page_person()
    except SignInError:
        _ask_to_sign_in(words)
        return None
    if not person.role.includes(Right.VIEW.role):
        st.warning(words["no_role"].format(name=plain(person.name)))
        _sign_out(words)
        return None
    return person


def still_in() -> Person:
    """Return who a part of the page runs for; if that person may not look any more, the whole page runs and says so."""
    try:
        person = page_person()
        if person.role.includes(Right.VIEW.role):
            return person
    except SignInError:
        pass
    st.rerun(scope="app")


def _ask_to_sign_in(words: dict[str, Any]) -> None:
    if get_library().settings.sign_in != "oidc":
        st.error(words["not_let_in"])
        return
    st.info(words["not_signed_in"])
    # Not a button of our own doing: Streamlit sends the browser to the provider.
    st.button(words["sign_in"], type="primary", on_click=st.login, key="sign_in")


def show_person(person: Person, words: dict[str, Any], language: str) -> None:
    """Write who is signed in with which role: the way out, and for administrators the way to the people."""
    said = f"{plain(person.name)} · {words['roles'][person.role.value]}"
    if st.button(said, key="person", width="stretch"):
        _open_person(person, said, words, language)


def _open_person(person: Person, said: str, words: dict[str, Any], language: str) -> None:
    is_admin = person.role is Role.ADMIN

    @st.dialog(words["title"] if is_admin else said, width="large" if is_admin else "small")
    def dialog() -> None:
        if is_admin:
            show_people(words, language)
        else:
            st.caption(words["may"][person.role.value])
        _sign_out(words)

    dialog()


def _sign_out(words: dict[str, Any]) -> None:
    if get_library().settings.sign_in == "oidc":
        st.button(words["sign_out"], on_click=st.logout, key="sign_out", width="stretch")
