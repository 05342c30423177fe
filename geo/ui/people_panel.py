"""The people and their roles, and the audit list: for administrators, checked at each look and each change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from geo.access import AuditEntry, Role, clean_name, refuse_lockout
from geo.errors import SiteMapError
from geo.ui.explain import explain
from geo.ui.library import DATASETS, get_library
from geo.ui.people import page_access, page_store
from geo.ui.server import plain

AUDIT_SHOWN = 500
ROWS, HEIGHT = 10, 420
"""More lines than these scroll within so many pixels."""
_NAME, _ROLE, _SAID = "people_name", "people_role", "people_said"


def show_people(words: dict[str, Any], language: str) -> None:
    """Write the list of people and the audit list."""
    people, audit = st.tabs([words["list"], words["audit"]])
    try:
        with people:
            _people(words, language)
        with audit:
            _audit(words)
    except SiteMapError as error:
        st.error(_failed(error, words, language))


def give_role(name: str, role: Role) -> None:
    """Give somebody a role, as the person of the page; it holds from the next thing they do.

    Raises
    ------
    AccessError
        If the person of the page is no administrator now.
    RoleError
        If it would lock the administrators out, or themselves.
    """
    store, admins = page_store(DATASETS[0]), get_library().settings.admins
    who = page_access().name
    refuse_lockout(store.members(), admins, who=who, name=name, role=role)
    store.set_member(name, role, who=who)


# ---- people -----------------------------------------------------------------------------------------------------


def _people(words: dict[str, Any], language: str) -> None:
    settings = get_library().settings
    members = page_store(DATASETS[0]).members()
    st.dataframe(people_table(members, settings.admins, words), hide_index=True, width="stretch")
    st.caption(words["others"].format(role=words["roles"][settings.default_role.value]))
    left, middle, right = st.columns([3, 2, 1], vertical_alignment="bottom")
    left.selectbox(
        words["name"],
        [name for name in members if name not in settings.admins],
        index=None,
        key=_NAME,
        placeholder=words["name_hint"],
        accept_new_options=True,
    )
    middle.selectbox(
        words["role"],
        [role.value for role in Role],
        index=1,
        key=_ROLE,
        format_func=words["roles"].__getitem__,
    )
    right.button(
        words["give"], on_click=_give, args=(words, language), type="primary", key="people_give"
    )
    done, said = st.session_state.pop(_SAID, (True, ""))
    if said:
        (st.success if done else st.error)(said)


def people_table(
    members: Mapping[str, Role], admins: tuple[str, ...], words: dict[str, Any]
) -> pd.DataFrame:
    """Return the people as the page shows them: those of the settings first, they are fixed."""
    roles = words["roles"]
    rows = [(name, roles["admin"], words["fixed"]) for name in admins]
    rows += [
        (name, roles[role.value], words["from_list"])
        for name, role in members.items()
        if name not in admins
    ]
    return pd.DataFrame(rows, columns=[words["name"], words["role"], words["from"]])


def _give(words: dict[str, Any], language: str) -> None:
    name = clean_name(str(st.session_state.get(_NAME) or ""))
    if not name:
        st.session_state[_SAID] = (False, words["needs_name"])
        return
    role = Role(st.session_state[_ROLE])
    try:
        give_role(name, role)
    except SiteMapError as error:
        st.session_state[_SAID] = (False, _failed(error, words, language))
    else:
        said = words["given"].format(name=plain(name), role=words["roles"][role.value])
        st.session_state[_SAID] = (True, said)


# ---- audit ------------------------------------------------------------------------------------------------------


def _audit(words: dict[str, Any]) -> None:
    refused = st.toggle(words["only_refused"], key="people_refused")
    entries = page_store(DATASETS[0]).audit(AUDIT_SHOWN)
    table = audit_table([one for one in entries if not (refused and one.allowed)], words)
    if table.empty:
        st.info(words["empty"])
    else:
        st.dataframe(
            table, hide_index=True, width="stretch", height=HEIGHT if len(table) > ROWS else "auto"
        )


def audit_table(entries: list[AuditEntry], words: dict[str, Any]) -> pd.DataFrame:
    """Return lines of the audit list as the page shows them, newest first; an act without a word keeps its name."""
    names = ("when", "who", "what", "target", "allowed", "detail")
    rows = [
        (
            one.at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            one.who,
            words["actions"].get(one.action, one.action),
            one.target,
            words["yes"] if one.allowed else words["no"],
            words["roles"].get(one.detail, one.detail),
        )
        for one in entries
    ]
    return pd.DataFrame(rows, columns=[words[name] for name in names])


def _failed(error: SiteMapError, words: dict[str, Any], language: str) -> str:
    return str(words["failed"]).format(reason=plain(explain(str(error), language)))
