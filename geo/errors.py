"""The family of errors this app raises on purpose.

A bad row is data (`geo.site.RowProblem`); a bad file, service or store is one of these. Their text is
written for the person at the screen: what was wrong, where, and what to do next.
"""


class SiteMapError(Exception):
    """Any failure a person can act on; the pages and the command line show its text as it is."""


class SourceError(SiteMapError):
    """A file or text that cannot be read at all."""


class SchemaError(SiteMapError, ValueError):
    """A table that is not what it says it is; `faults` lists every fault, not only the first."""

    def __init__(self, what: str, faults: list[str]) -> None:
        self.faults = list(faults)
        super().__init__(f"{what}: " + "; ".join(self.faults))


class CategoryError(SiteMapError, ValueError):
    """A kind or status that data/categories.toml does not know, or a fault in that file."""


class DatumError(SiteMapError, ValueError):
    """A coordinate or datum that cannot be read without guessing."""


class FilterError(SiteMapError, ValueError):
    """A filter that names a kind, status, precision or date that does not exist."""


class ExportError(SiteMapError):
    """A picture or table that cannot be made; nothing is left half written."""


class StoreError(SiteMapError):
    """A store that cannot be opened, read or written."""


class StoreAway(StoreError):
    """A store that cannot be reached now, and may be back in a moment: nothing was read or written."""


class StoreConflict(StoreError):
    """Somebody else changed the row first: nothing was written.

    Attributes
    ----------
    site_id
        The row in question.
    expected, found
        The version the writer had read, and the one now in the store.
    """

    def __init__(self, site_id: str, *, expected: int, found: int) -> None:
        self.site_id, self.expected, self.found = site_id, expected, found
        super().__init__(
            f"{site_id} was changed by somebody else (version {found}, you had {expected}): "
            "look at the new values, then decide"
        )


class BulkError(SiteMapError):
    """A bulk run that cannot begin or go on; what it has finished is kept."""
